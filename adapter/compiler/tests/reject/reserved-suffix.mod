: Generated mechanisms are called gd_…

NEURON {
    SUFFIX gd_leak : error[reserved-name]
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001
    v
}

BREAKPOINT {
    i = g*(v + 65)
}
