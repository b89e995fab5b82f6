NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    LOCAL a, b
    a = b : error[read-before-write]
    i = g*a*(v + 65)
}
