NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
    p[3] = 1 : error[unsupported]
}

PROCEDURE p() {
    LOCAL b[3] : error[unsupported]
}

BREAKPOINT {
    i = g*v
}
