NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

STATE {
    m : warning[uninitialised-state]
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = g*m*(v + 65)
}

DERIVATIVE states {
    m' = -m
}
