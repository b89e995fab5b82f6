TITLE A potassium channel with coupled states (test mechanism)

COMMENT
Origin  Ours, for tests; no published channel. Closed - inactivated - open in a row, c <-> g <-> o, the rates exponential
        in voltage. The three equations are linear and coupled, so they need an implicit method, and their sum is constant.
Units   mV, ms, mA/cm2, S/cm2.
Runs in Arbor as it stands; NEURON knows METHOD sparse only for KINETIC blocks and takes the file with derivimplicit.
ENDCOMMENT

NEURON {
    SUFFIX coupled
    USEION k READ ek WRITE ik
    RANGE gbar, vhalf, slope
    RANGE cg, gc, go, og
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar  = 0.02 (S/cm2) <0, 1e9>
    vhalf = -30  (mV)
    slope = 12   (mV)
    v            (mV)
    ek           (mV)
    ik           (mA/cm2)
}

ASSIGNED {
    cg (/ms)
    gc (/ms)
    go (/ms)
    og (/ms)
}

STATE {
    c
    g
    o
}

: Detailed balance: nothing flows between neighbours.
INITIAL {
    rates(v)
    c = 1/(1 + cg/gc*(1 + go/og))
    g = c*cg/gc
    o = g*go/og
}

BREAKPOINT {
    SOLVE states METHOD sparse
    ik = gbar*o*(v - ek)
}

DERIVATIVE states {
    rates(v)
    c' = gc*g - cg*c
    g' = cg*c - (gc + go)*g + og*o
    o' = go*g - og*o
}

PROCEDURE rates(vm) {
    LOCAL x
    x  = (vm - vhalf)/slope
    cg = 0.6*exp(0.5*x)
    gc = 0.6*exp(-0.5*x)
    go = 1.5*exp(0.4*x)
    og = 0.4*exp(-0.3*x)
}
