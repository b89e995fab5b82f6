NEURON { : error[missing-suffix]
    RANGE g
}

PARAMETER {
    g = 0.001
}
