NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*shift(v, 1) : error[argument-count]
}

FUNCTION shift(x) {
    shift = x + 65
}
