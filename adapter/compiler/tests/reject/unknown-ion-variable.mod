NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
    USEION na READ ek : error[unknown-ion-variable]
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*(v + 65)
}
