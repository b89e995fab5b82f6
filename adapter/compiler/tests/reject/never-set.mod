NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
PARAMETER { v (mV) }
BREAKPOINT {
    LOCAL a
    IF (1 > 2) { a = 1 } : a branch that is never taken sets nothing
    i = a*v : error[read-before-write]
}
