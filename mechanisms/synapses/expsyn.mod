TITLE Synapse: a conductance that jumps and decays

COMMENT
Origin  Roth A, van Rossum MCW (2009) Modeling synapses. In De Schutter E (ed) Computational Modeling Methods for
        Neuroscientists, chapter 6, MIT Press. DOI 10.7551/mitpress/9780262013277.003.0007. Instantaneous rise,
        exponential decay.
Units   mV, ms, nA, uS. The weight of an event is the conductance it adds, in uS.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (nA) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    POINT_PROCESS expsyn
    NONSPECIFIC_CURRENT i
    RANGE tau, e
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    tau = 2 (ms) <1e-9, 1e9>
    e   = 0 (mV)
    v       (mV)
}

STATE {
    g (uS)
}

INITIAL {
    g = 0
}

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*(v - e)
}

DERIVATIVE decay {
    g' = -g/tau
}

NET_RECEIVE(weight (uS)) {
    g = g + weight
}
