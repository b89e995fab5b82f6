NEURON {
    POINTER p : error[unsupported]
    BBCOREPOINTER q : error[unsupported]
    EXTERNAL r : error[unsupported]
    RANDOM s : error[unsupported]
    NETSEND : error[unsupported]
    NETRECEIVE : error[unsupported]
    SECTION u : error[unsupported]
    VALENCE 2 : error[unsupported]
    SUFFIX x
    NONSPECIFIC_CURRENT i
}

BREAKPOINT {
    i = 0
}
