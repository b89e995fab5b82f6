: slots: leak.g
NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
    USEION ca READ cai : warning[not-differentiable]
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*cai*(v + 65)
}
