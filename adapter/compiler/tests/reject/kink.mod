: slots: leak.g
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
    IF (v > -40) { : warning[one-sided-derivative]
        i = g*(v + 65)
    } ELSE {
        i = 0
    }
}
