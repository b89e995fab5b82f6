TITLE A synapse that changes what it has just read (test mechanism)

COMMENT
Origin  Ours, for tests; no published synapse. As keeper.mod, for instances that share control volumes.
Units   mV, ms, nA, uS.
ENDCOMMENT

NEURON {
    POINT_PROCESS keeper_point
    NONSPECIFIC_CURRENT i
    RANGE g, tau, a
}

UNITS {
    (mV) = (millivolt)
    (nA) = (nanoamp)
    (uS) = (microsiemens)
}

PARAMETER {
    g   = 0.001 (uS)
    tau = 2     (ms)
    v           (mV)
}

ASSIGNED {
    i (nA)
    a
}

STATE { s }

INITIAL {
    a = 0
    s = 1
}

BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*a*v
    a = a + 0.1*(s*tau - a)
}

DERIVATIVE decay { s' = -s/tau }

NET_RECEIVE(weight) { s = s + weight }
