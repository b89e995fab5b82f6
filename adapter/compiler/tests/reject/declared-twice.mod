NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
    e = 1 (mV)
}

ASSIGNED {
    e : error[duplicate-definition]
}

BREAKPOINT {
    i = g*(v + 65)
}
