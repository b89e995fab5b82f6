NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

NET_RECEIVE (w, tsyn (ms)) {
    INITIAL {
        tsyn = 0
    }
    INITIAL { : error[duplicate-definition]
        tsyn = 1
    }
    IF (w > 0) {
        INITIAL { } : error[unexpected-token]
    }
}

NET_RECEIVE (w) { : error[duplicate-definition]
}

NET_RECEIVE (1) { : error[unexpected-token]
}

POST_EVENT(t) {
}

POST_EVENT(t) { : error[duplicate-definition]
}

WHITE_NOISE {
    a, b
    2 : error[unexpected-token]
}

BREAKPOINT {
    i = g*v
}
