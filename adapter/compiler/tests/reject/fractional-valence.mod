NEURON {
    SUFFIX x
    USEION ca READ eca WRITE ica VALENCE 1.5 : error[bad-number]
}

PARAMETER {
    v (mV)
}

BREAKPOINT {
    ica = 0.001*(v - eca)
}
