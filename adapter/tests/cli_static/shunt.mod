NEURON {
    SUFFIX shunt
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 1e-5 (S/cm2)
    v        (mV)
}

BREAKPOINT {
    if (v > 0) {
        i = g*v
    } else {
        i = 0
    }
}
