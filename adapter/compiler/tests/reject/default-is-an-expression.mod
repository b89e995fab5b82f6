NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 1/1000 : error[unexpected-token]
    v (mV)
}

BREAKPOINT {
    i = g*v
}
