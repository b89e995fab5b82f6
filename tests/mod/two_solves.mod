TITLE Two SOLVEs that depend on each other (test mechanism)

COMMENT
Origin  Ours, for tests; no biology is meant.
        x is stepped by cnexp from the old y; the ASSIGNED q is made of both; y and z are then solved together from the new x
        and from q. A tangent that takes the y in q or in x for the new one is wrong by a large factor.
        In `first`, q stands below the equation of x and so sees its new value, as in Arbor and NEURON.
        In the second sparse block p and r are solved twice, which the tangent of a single step does not describe.
Units   mV, ms, S/cm2.
Runs in Arbor as it stands (two sparse SOLVEs).
ENDCOMMENT

NEURON {
    SUFFIX two_solves
    NONSPECIFIC_CURRENT i
    RANGE g, a
}

UNITS {
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    g = 0.0003 (S/cm2)
    a = 0.3    (/ms)
    v          (mV)
}

ASSIGNED {
    q
}

STATE {
    x
    y
    z
    p
    r
}

INITIAL {
    x = 0.1
    y = 0.2
    z = 0.3
    p = 0.4
    r = 0.5
    q = 0
}

BREAKPOINT {
    SOLVE first METHOD cnexp
    SOLVE second METHOD sparse
    SOLVE third METHOD sparse
    SOLVE third METHOD sparse
    i = g*(y + z + p + r)*(v + 60)
}

DERIVATIVE first {
    x' = (a*y + 0.2*open(v) - x)/2
    q = a*y + 0.1*z + x
}

DERIVATIVE second {
    y' = a*x - 0.5*y + 0.1*z + 0.05*q
    z' = 0.3*y - 0.2*z*(1 + x)
}

DERIVATIVE third {
    p' = (a*r - p)/2
    r' = open(v) - r + a*p
}

FUNCTION open(u) {
    open = 1/(1 + exp(-(u + 40)/10))
}
