NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
    a__b = 1 : error[reserved-name]
}

BREAKPOINT {
    i = g*(v + 65)
}
