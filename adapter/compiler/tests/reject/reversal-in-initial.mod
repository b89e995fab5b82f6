NEURON {
    SUFFIX early
    USEION k WRITE ek : error[unsupported]
    RANGE e0
}

PARAMETER {
    e0 = -80 (mV)
}

INITIAL {
    ek = e0
}

BREAKPOINT {
    ek = e0
}
