NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

PROCEDURE p() {
    FORALL s { : error[unsupported]
        a = a + 1
    }
    FOR_NETCONS(a) { : error[unsupported]
        a = a + 1
    }
    WATCH (v > 0) 2 : error[unsupported]
    PUTQ(a) : error[unsupported]
    GETQ(a) : error[unsupported]
    LONGITUDINAL_DIFFUSION d {b} : error[unsupported]
    SENS a : error[unsupported]
    RESET : error[unsupported]
    LAG a BY 1 : error[unsupported]
    MATCH a : error[unsupported]
}

BREAKPOINT {
    i = g*v
}
