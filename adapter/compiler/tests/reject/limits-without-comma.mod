NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2) <0 1e9> : error[unexpected-token]
    v (mV)
}

BREAKPOINT {
    i = g*v
}
