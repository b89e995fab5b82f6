TITLE Passive membrane

COMMENT
Origin  Hodgkin AL, Rushton WAH (1946) The electrical constants of a crustacean nerve fibre. Proc R Soc B 133:444-479.
        DOI 10.1098/rspb.1946.0024. The membrane is an ohmic resistance in series with a battery.
Units   mV, mA/cm2, S/cm2.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (mA/cm2) } besides, which Arbor refuses, and another SUFFIX,
because it has a built-in pas.
ENDCOMMENT

NEURON {
    SUFFIX pas
    NONSPECIFIC_CURRENT i
    RANGE g, e
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    g = 0.001 (S/cm2) <0, 1e9>
    e = -65   (mV)
    v         (mV)
}

BREAKPOINT {
    i = g*(v - e)
}
