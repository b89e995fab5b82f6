TITLE Synapse with an overall strength, which a rule can move

COMMENT
Origin  The conductance of expsyn.mod (Roth A, van Rossum MCW 2009, DOI 10.7551/mitpress/9780262013277.003.0007) times a
        factor that all synapses of a cell share: synaptic scaling, Turrigiano GG, Leslie KR, Desai NS, Rutherford LC,
        Nelson SB (1998) Nature 391:892-896, DOI 10.1038/36103. What moves the factor is not here.
Units   mV, ms, nA, uS. The weight of an event is the conductance it adds at scale = 1, in uS.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (nA) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    POINT_PROCESS scaled
    NONSPECIFIC_CURRENT i
    RANGE tau, e, scale
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    tau   = 5 (ms) <1e-9, 1e9>
    e     = 0 (mV)
    scale = 1      <0, 1e9>
    v         (mV)
}

STATE {
    g (uS)
}

INITIAL {
    g = 0
}

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = scale*g*(v - e)
}

DERIVATIVE decay {
    g' = -g/tau
}

NET_RECEIVE(weight (uS)) {
    g = g + weight
}
