TITLE A current that follows what changes within a step (test mechanism)

COMMENT
Origin  Ours, for tests; no published channel. It depends on a current that others add to and on a concentration that
        diffuses: both are other numbers when the voltage has been solved for than when currents are computed.
Units   mV, ms, mA/cm2, mM.
Runs in Arbor as it stands; NEURON has no diffusive concentration of this kind.
ENDCOMMENT

NEURON {
    SUFFIX pursuer
    USEION k READ ik
    USEION x READ xd WRITE xd
    NONSPECIFIC_CURRENT i
    RANGE echo, pull, start
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mM) = (milli/liter)
}

PARAMETER {
    echo    = 0.2    <0, 10>
    pull    = 0.002  (mA/cm2/mM) <0, 1>
    start   = 0.2    (mM) <0, 10>
    v                (mV)
    ik               (mA/cm2)
}

ASSIGNED {
    i  (mA/cm2)
    xd (mM)
}

INITIAL { xd = start }

BREAKPOINT {
    i = -echo*ik + pull*xd*xd
}
