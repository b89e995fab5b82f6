NEURON {
    SUFFIX a
    SUFFIX b : error[duplicate-definition]
    POINT_PROCESS c : error[duplicate-definition]
    NONSPECIFIC_CURRENT i
}

BREAKPOINT {
    i = 0
}
