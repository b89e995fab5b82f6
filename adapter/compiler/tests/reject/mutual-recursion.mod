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
    f = h(x)
}

FUNCTION h(x) {
    h = f(x) : error[recursion]
}
