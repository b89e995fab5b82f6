NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
    p[3] = 1 : error[unsupported]
}

ASSIGNED {
    a[3] : error[unsupported]
}

STATE {
    s[3] (mM) : error[unsupported]
}

PROCEDURE p() {
    LOCAL b[3] : error[unsupported]
}

BREAKPOINT {
    i = g*v
}
