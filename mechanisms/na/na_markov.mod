TITLE Transient and resurgent sodium current: a channel of thirteen states

COMMENT
Origin  Raman IM, Bean BP (2001) Inactivation and recovery of sodium currents in cerebellar Purkinje neurons: evidence
        for two mechanisms. Biophys J 80:729-737. DOI 10.1016/S0006-3495(01)76052-3. Rates as in Khaliq ZM, Gouwens
        NW, Raman IM (2003) The contribution of resurgent sodium current to high-frequency firing in Purkinje neurons:
        an experimental and modeling study. J Neurosci 23:4899-4912. DOI 10.1523/JNEUROSCI.23-12-04899.2003.
Scheme  Four activation steps c0 ... c4, opening o, block by the channel's own particle s (the resurgent current is
        what unbinds), and inactivated twins i0 ... i4, i5 of c0 ... c4, o:
            c0 - c1 - c2 - c3 - c4 - o - s
            |    |    |    |    |    |
            i0 - i1 - i2 - i3 - i4 - i5
        Each step of activation makes inactivation more likely by the factors x = (oon/con)^(1/4) and
        y = (ooff/coff)^(1/4); with them around every square the rates one way multiply to those the other way.
Units   mV, ms, mA/cm2, S/cm2, degC. Rates in 1/ms at 22 degC; they triple per 10 degC (q10).
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX na_markov
    USEION na READ ena WRITE ina
    RANGE gbar, con, coff, oon, ooff, opening, closing, block, unblock
    GLOBAL q10
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar    = 0.015 (S/cm2) <0, 1e9>
    con     = 0.005 (/ms)
    coff    = 0.5   (/ms)
    oon     = 0.75  (/ms)
    ooff    = 0.005 (/ms)
    opening = 150   (/ms)
    closing = 40    (/ms)
    block   = 1.75  (/ms)
    unblock = 0.03  (/ms)
    q10     = 3
    celsius         (degC)
    v               (mV)
    ena             (mV)
    ina             (mA/cm2)
}

STATE {
    c0
    c1
    c2
    c3
    c4
    o
    s
    i0
    i1
    i2
    i3
    i4
    i5
}

INITIAL {
    SOLVE scheme STEADYSTATE sparse
}

BREAKPOINT {
    SOLVE scheme METHOD sparse
    ina = gbar*o*(v - ena)
}

KINETIC scheme {
    LOCAL q, a, b, x, y
    q = q10^((celsius - 22)/10)
    a = 150*q*exp(v/20)
    b = 3*q*exp(-v/20)
    x = (oon/con)^0.25
    y = (ooff/coff)^0.25

    ~ c0 <-> c1 (4*a, b)
    ~ c1 <-> c2 (3*a, 2*b)
    ~ c2 <-> c3 (2*a, 3*b)
    ~ c3 <-> c4 (a, 4*b)
    ~ c4 <-> o  (opening*q, closing*q)
    ~ o  <-> s  (block*q, unblock*q*exp(-v/25))

    ~ i0 <-> i1 (4*a*x, b*y)
    ~ i1 <-> i2 (3*a*x, 2*b*y)
    ~ i2 <-> i3 (2*a*x, 3*b*y)
    ~ i3 <-> i4 (a*x, 4*b*y)
    ~ i4 <-> i5 (opening*q, closing*q)

    ~ c0 <-> i0 (con*q, coff*q)
    ~ c1 <-> i1 (con*q*x, coff*q*y)
    ~ c2 <-> i2 (con*q*x*x, coff*q*y*y)
    ~ c3 <-> i3 (con*q*x*x*x, coff*q*y*y*y)
    ~ c4 <-> i4 (con*q*x*x*x*x, coff*q*y*y*y*y)
    ~ o  <-> i5 (oon*q, ooff*q)

    CONSERVE c0 + c1 + c2 + c3 + c4 + o + s + i0 + i1 + i2 + i3 + i4 + i5 = 1
}
