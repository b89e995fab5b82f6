TITLE Synapse: a conductance that rises and decays exponentially

COMMENT
Origin  Roth A, van Rossum MCW (2009) Modeling synapses. In De Schutter E (ed) Computational Modeling Methods for
        Neuroscientists, chapter 6, MIT Press. DOI 10.7551/mitpress/9780262013277.003.0007. Difference of two
        exponentials, scaled so that it peaks at the event's weight.
Units   mV, ms, nA, uS. The weight of an event is the peak conductance it adds, in uS. `rise` must stay below `decay`;
        equal, the scale is 0/0.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (nA) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    POINT_PROCESS exp2syn
    NONSPECIFIC_CURRENT i
    RANGE rise, decay, e
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    rise  = 0.5 (ms) <1e-9, 1e9>
    decay = 2   (ms) <1e-9, 1e9>
    e     = 0   (mV)
    v           (mV)
}

ASSIGNED {
    scale
}

STATE {
    up   (uS)
    down (uS)
}

INITIAL {
    LOCAL peak
    peak  = rise*decay/(decay - rise)*log(decay/rise)
    scale = 1/(exp(-peak/decay) - exp(-peak/rise))
    up    = 0
    down  = 0
}

BREAKPOINT {
    SOLVE both METHOD cnexp
    i = (down - up)*(v - e)
}

DERIVATIVE both {
    up'   = -up/rise
    down' = -down/decay
}

NET_RECEIVE(weight (uS)) {
    up   = up + weight*scale
    down = down + weight*scale
}
