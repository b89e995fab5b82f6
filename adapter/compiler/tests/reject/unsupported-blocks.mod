NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

DISCRETE d { : error[unsupported]
    x = 1
}

PARTIAL p { : error[unsupported]
    x = 1
}

FUNCTION_TABLE tau(v (mV)) (ms) : error[unsupported]

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

INCLUDE other : error[unsupported]
PLOT a : error[unsupported]
MODEL_LEVEL 1 : error[unsupported]

BREAKPOINT {
    i = g*v
}
