NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

ASSIGNED {
    q10 : warning[read-before-write]
}

BREAKPOINT {
    i = g*q10*(v + 65)
}
