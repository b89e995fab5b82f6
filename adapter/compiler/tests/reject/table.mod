NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = g*f(v)
}

FUNCTION f(x) {
    TABLE FROM -100 TO 100 WITH 200 : warning[ignored]
    f = x + 65
}
