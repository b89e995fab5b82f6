: What the refused constructs may have declared, defined or set is not missed; what is wrong besides is said.
NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i, unset
    POINTER other : error[unsupported]
    RANDOM rng : error[unsupported]
    RANGE g, declared_in_c
}
PARAMETER { g = 1 (S/cm2) v (mV) }
ASSIGNED { other }
STATE { m n o }
VERBATIM : error[verbatim]
double declared_in_c;
ENDVERBATIM
FUNCTION_TABLE tau(v) : error[unsupported]
INITIAL {
    m = in_c
}
BREAKPOINT {
    LOCAL l
    SOLVE s METHOD cnexp
    SOLVE discrete METHOD cnexp
    i = g*m*(v - other)*tau(v)*twice(v)*l + random_negexp(rng)
    reset()
    v = 2 : error[not-assignable]
}
DERIVATIVE s {
    m' = -m*n : error[coupled-cnexp]
    n' = -n^2 : error[nonlinear-cnexp]
}
FUNCTION twice(x) {
    VERBATIM : error[verbatim]
    return 2*x;
    ENDVERBATIM
}
BEFORE STEP { m = 2 } : error[unsupported]
FUNCTION pair(x, y) { pair = x + y }
PROCEDURE reset() { m = pair(1) } : error[argument-count]
