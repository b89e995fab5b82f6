NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

KINETIC k { : error[unsupported]
    ~ a <-> b (1, 2)
    CONSERVE a + b = 1
}

LINEAR l { : error[unsupported]
    x = 1
}

NONLINEAR nl { : error[unsupported]
    x = 1
}

DISCRETE d { : error[unsupported]
    x = 1
}

PARTIAL p { : error[unsupported]
    x = 1
}

NET_RECEIVE (w) { : error[unsupported]
    INITIAL {
        w = 0
    }
}

POST_EVENT (t) { : error[unsupported]
    x = 1
}

WHITE_NOISE { : error[unsupported]
    x = 1
}

BEFORE BREAKPOINT { : error[unsupported]
    x = 1
}

AFTER SOLVE { : error[unsupported]
    x = 1
}

CONSTRUCTOR { : error[unsupported]
    x = 1
}

DESTRUCTOR { : error[unsupported]
    x = 1
}

TERMINAL { : error[unsupported]
    x = 1
}

STEPPED { : error[unsupported]
    x = 1
}

DEPENDENT { : error[unsupported]
    x = 1
}

DEFINE N 10 : error[unsupported]
INCLUDE "other.inc" : error[unsupported]
PLOT a : error[unsupported]
MODEL_LEVEL 1 : error[unsupported]

BREAKPOINT {
    i = g*v
}
