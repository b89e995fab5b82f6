NEURON {
    SUFFIX x
    RANGE a,
    GLOBAL b : error[unexpected-token]
}

PARAMETER {
    a = 1
    b = 1
}
