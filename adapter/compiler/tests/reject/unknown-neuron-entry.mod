NEURON {
    SUFFIX x
    NONSPECIFIK_CURRENT i : error[unexpected-token]
}

