TITLE A gate that explicit steps cannot follow (test mechanism)

COMMENT
Origin  Ours, for tests. The gate relaxes within 1 us. METHOD euler multiplies its distance from rest by 1 - dt/tau in
        each step, so it explodes for any dt above 2 us and takes the current along.
Units   mV, ms, mA/cm2, S/cm2.
ENDCOMMENT

NEURON {
    SUFFIX stiff
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g   = 0.001 (S/cm2)
    tau = 0.001 (ms)
    v           (mV)
}

STATE {
    s
}

INITIAL {
    s = 0
}

BREAKPOINT {
    SOLVE states METHOD euler
    i = g*s*(v + 65)
}

DERIVATIVE states {
    s' = (1 - s)/tau
}
