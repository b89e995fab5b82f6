NEURON {
    SUFFIX leak : error[missing-block]
}
