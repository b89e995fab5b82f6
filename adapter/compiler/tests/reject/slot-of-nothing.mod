: slots: leak.gbar
NEURON {
    SUFFIX leak : error[unknown-slot-parameter]
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*(v + 65)
}
