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
    i = i + g*(v + 65) : error[read-before-write]
}
