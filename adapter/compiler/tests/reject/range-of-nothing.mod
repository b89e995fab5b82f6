NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
    RANGE gbar : error[unknown-name]
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*(v + 65)
}
