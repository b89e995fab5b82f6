NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.0.1 (S/cm2) : error[bad-number]
    v (mV)
}

BREAKPOINT {
    i = g*v
}
