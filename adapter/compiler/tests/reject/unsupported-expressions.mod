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
    i = 5 % 3 : error[unsupported]
    printf("%g", v) : error[unsupported]
    i = g*v
}

DERIVATIVE d {
    m'' = 1 : error[unsupported]
    q''[2] = 1 : error[unsupported]
    q[2]'' = 1 : error[unsupported]
}
