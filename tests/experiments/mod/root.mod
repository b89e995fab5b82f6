TITLE A current whose conductance has an infinite slope at rest (test mechanism)

COMMENT
Origin  Ours, for tests; no published channel. d2i/dv2 is infinite at -65 mV, where nothing moves yet.
Units   mV, mA/cm2.
ENDCOMMENT

NEURON {
    SUFFIX root
    NONSPECIFIC_CURRENT i
    RANGE g
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
}

PARAMETER {
    g = 0.0001
    v (mV)
}

ASSIGNED { i (mA/cm2) }

BREAKPOINT { i = g*(v + 65)^1.5 }
