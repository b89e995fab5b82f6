NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
STATE { a }
INITIAL { a = 0 }
BREAKPOINT {
    SOLVE s METHOD cnexp
    i = a
}
DERIVATIVE s { a' = -a }
NET_RECEIVE(w) { : error[unsupported]
    a = a + w
}
