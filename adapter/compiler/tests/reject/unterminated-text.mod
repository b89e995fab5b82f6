NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

INITIAL {
    printf("oops) : error[unterminated-block] : error[unsupported]
}

BREAKPOINT {
    i = g*v
}
