UNITS {
    c = (lightyear) (cm) : error[unsupported]
    d = (faraday) (zork) : error[unsupported]
    x = (1e4 m) (m) : error[unsupported]
    y = (m^100) (m) : error[unsupported]
    z = (pi^) (1) : error[unsupported]
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
