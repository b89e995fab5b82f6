NEURON {
    SUFFIX x
    USEION ca READ eca WRITE ica VALENCE z : error[unsupported]
}
