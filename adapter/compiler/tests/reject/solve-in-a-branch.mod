NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
PARAMETER { v (mV) }
STATE { m }
INITIAL { m = 0 }
BREAKPOINT {
    IF (v > 0) {
        SOLVE s METHOD cnexp : error[unsupported]
    }
    i = m
}
DERIVATIVE s { m' = -m }
