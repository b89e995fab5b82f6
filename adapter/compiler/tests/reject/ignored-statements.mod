NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

INITIAL {
    MUTEXLOCK : warning[ignored]
    s = 0
    PROTECT g2 = g
    MUTEXUNLOCK : warning[ignored]
}

ASSIGNED {
    g2 (S/cm2)
}

STATE {
    s
}

DERIVATIVE d {
    s' = -s
}

BREAKPOINT {
    SOLVE d METHOD cnexp IFERROR { i = 0 } : warning[ignored]
    i = g2*v
}
