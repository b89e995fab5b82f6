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

PROCEDURE p(x) {
    TABLE a DEPEND b TO 100 WITH 10 : error[unexpected-token]
}
