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
    VERBATIM : error[verbatim]
    i = 3;
    ENDVERBATIM
    i = g*v
}
