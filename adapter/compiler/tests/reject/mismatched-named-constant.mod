UNITS {
    F = (faraday) (joule/degC) : error[unsupported]
    F2 = (faraday) (coulomb2) : error[unsupported]
    k = (k) (joule) : error[unsupported]
}

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
    i = g*v
}
