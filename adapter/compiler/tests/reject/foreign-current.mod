NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
    USEION ca READ ica : error[unsupported]
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*(v + 65)
}
