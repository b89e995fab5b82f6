NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    SOLVE s METHOD cnexp IFERROR { i = 0 } : error[unsupported]
    i = g*v
}
