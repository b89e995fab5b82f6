NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i : warning[ignored]
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    LOCAL a
    a = 1
}
