NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
    GLOBAL e
}
PARAMETER {
    g = 0.0002 (S/cm2)
    e = -65 (mV)
}
BREAKPOINT { i = g*(v - e) }
INITIAL {}
