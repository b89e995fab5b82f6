TITLE A current that changes what it has just read (test mechanism)

COMMENT
Origin  Ours, for tests; no published channel. BREAKPOINT reads an assigned variable, a state, a concentration and a current
        and then sets them, so the current depends on the old values and the next step on the new ones.
Units   mV, ms, mA/cm2, S/cm2, mM.
ENDCOMMENT

NEURON {
    SUFFIX keeper
    USEION k READ ik WRITE ik
    USEION x READ xd WRITE xd
    NONSPECIFIC_CURRENT i
    RANGE g, h, pull, start, w, tau, a
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mM) = (milli/liter)
    (S)  = (siemens)
}

PARAMETER {
    g     = 0.0001 (S/cm2)
    h     = 0.5
    pull  = 0.02   (mA/cm2/mM2)
    start = 0.3    (mM)
    w     = 0.0001 (S/cm2)
    tau   = 1      (ms)
    v              (mV)
}

ASSIGNED {
    i  (mA/cm2)
    ik (mA/cm2)
    xd (mM)
    a
}

STATE { s }

INITIAL {
    a = 0
    s = 0.2
    xd = start
}

BREAKPOINT {
    SOLVE open METHOD cnexp
    i = g*(v + 70)*a + h*ik + pull*xd*xd + w*s*(v + 20)
    a = 0.5*a + 0.01*(v + 70)
    s = 0.9*s
    xd = 0.9*xd + 0.0001*(v + 65)
    ik = 0.0002*(v + 77)
}

DERIVATIVE open {
    s' = (1/(1 + exp(-(v + 50)/5)) - s)/tau
}
