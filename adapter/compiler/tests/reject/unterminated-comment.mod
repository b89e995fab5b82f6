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
    i = g*v
}

COMMENT : error[unterminated-block]
this goes on for ever
