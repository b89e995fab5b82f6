UNITS {
    c = (lightyear) (cm) : error[unsupported]
    d = (faraday) (zork) : error[unsupported]
    x = (1e4 m) (m) : error[unsupported]
    w = (pi^2147483648) (1) : error[unsupported]
    W = (2^9) (1) : error[unsupported]
    v = (pi^2147483647) (1) : error[unsupported]
    y = (m^2147483647-m) (m) : error[unsupported]
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
