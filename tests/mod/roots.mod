TITLE Roots of a state that starts at 0 (test mechanism)

COMMENT
Origin  Ours, for tests; no biology is meant.
        The slope of a root is infinite at 0, where s starts and does not move yet: its product with a sensitivity of 0 is 0,
        not a NaN that all later steps would carry on.
Units   mV, ms, S/cm2.
Runs in Arbor as it stands.
ENDCOMMENT

NEURON {
    SUFFIX roots
    NONSPECIFIC_CURRENT i
    RANGE g, power, tau
}

UNITS {
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    g     = 0.0003 (S/cm2)
    power = 0.7
    tau   = 5      (ms)
    v              (mV)
}

STATE {
    s
    q
}

INITIAL {
    s = 0
    q = 0
}

BREAKPOINT {
    SOLVE first METHOD cnexp
    SOLVE second METHOD cnexp
    i = g*(sqrt(s) + s^power + q)*(v + 70)
}

DERIVATIVE first {
    s' = (open(v) - s)/tau
}

DERIVATIVE second {
    q' = sqrt(s) - q
}

FUNCTION open(u) {
    open = 1/(1 + exp(-(u + 40)/10))
}
