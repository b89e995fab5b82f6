NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

PROCEDURE p() {
    ~ a <-> b (1, 2) : error[unexpected-token]
    ~ a = b : error[unexpected-token]
    CONSERVE a + b = 1 : error[unexpected-token]
    COMPARTMENT a {b c} : error[unexpected-token]
}

BREAKPOINT {
    i = g*v
}
