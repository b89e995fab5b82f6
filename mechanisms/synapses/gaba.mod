TITLE Inhibitory synapse with GABA-A receptors

COMMENT
Origin  Roth A, van Rossum MCW (2009) Modeling synapses. In De Schutter E (ed) Computational Modeling Methods for
        Neuroscientists, chapter 6, MIT Press. DOI 10.7551/mitpress/9780262013277.003.0007 (difference of two
        exponentials). The time constants are ours, of the usual size near body temperature: set them for the synapse
        at hand.
Units   mV, ms, nA, uS. The weight of an event is the peak conductance it adds, in uS. `rise` must stay below `decay`;
        equal, the scale is 0/0. Reversal at that of chloride, -75 mV.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (nA) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    POINT_PROCESS gaba
    NONSPECIFIC_CURRENT i
    RANGE rise, decay, e
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    rise  = 0.3 (ms) <1e-9, 1e9>
    decay = 6   (ms) <1e-9, 1e9>
    e     = -75 (mV)
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
