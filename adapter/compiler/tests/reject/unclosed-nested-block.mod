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
    i = 0
    if (v > 0) { : error[unterminated-block]
        i = g*v

PROCEDURE p() {
}
