TITLE Squid axon: transient sodium, delayed rectifier and leak

COMMENT
Origin  Hodgkin AL, Huxley AF (1952) A quantitative description of membrane current and its application to
        conduction and excitation in nerve. J Physiol 117:500-544. DOI 10.1113/jphysiol.1952.sp004764
        Rates: eqs. 12, 13, 20, 21, 23, 24; conductances and leak potential: table 3; the rates triple per 10 degC above 6.3 degC.
Sign    Modern: outward current positive, v inside minus outside, rest at -65 mV (their V is -65 - v).
        Their leak potential of -10.613 mV, chosen so that no current flows at rest, becomes -54.387 mV.
Units   mV, ms, mA/cm2, S/cm2, degC.
Runs in Arbor as it stands. NEURON wants ASSIGNED { il (mA/cm2) } besides, which Arbor refuses, and another SUFFIX,
because it has a built-in hh.
ENDCOMMENT

NEURON {
    SUFFIX hh
    USEION na READ ena WRITE ina
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT il
    RANGE gnabar, gkbar, gl, el
    RANGE minf, mtau, hinf, htau, ninf, ntau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gnabar = 0.12    (S/cm2) <0, 1e9>
    gkbar  = 0.036   (S/cm2) <0, 1e9>
    gl     = 0.0003  (S/cm2) <0, 1e9>
    el     = -54.387 (mV)
    celsius          (degC)
    v                (mV)
    ena              (mV)
    ek               (mV)
    ina              (mA/cm2)
    ik               (mA/cm2)
}

ASSIGNED {
    minf
    hinf
    ninf
    mtau (ms)
    htau (ms)
    ntau (ms)
}

STATE {
    m
    h
    n
}

INITIAL {
    rates(v, celsius)
    m = minf
    h = hinf
    n = ninf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gnabar*m*m*m*h*(v - ena)
    ik  = gkbar*n*n*n*n*(v - ek)
    il  = gl*(v - el)
}

DERIVATIVE states {
    rates(v, celsius)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
    n' = (ninf - n)/ntau
}

PROCEDURE rates(vm, temp) {
    LOCAL alpha, beta, q10
    q10 = 3^((temp - 6.3)/10)

    alpha = 0.1*vtrap(-(vm + 40), 10)
    beta  = 4*exp(-(vm + 65)/18)
    mtau  = 1/(q10*(alpha + beta))
    minf  = alpha/(alpha + beta)

    alpha = 0.07*exp(-(vm + 65)/20)
    beta  = 1/(exp(-(vm + 35)/10) + 1)
    htau  = 1/(q10*(alpha + beta))
    hinf  = alpha/(alpha + beta)

    alpha = 0.01*vtrap(-(vm + 55), 10)
    beta  = 0.125*exp(-(vm + 65)/80)
    ntau  = 1/(q10*(alpha + beta))
    ninf  = alpha/(alpha + beta)
}

: x/(exp(x/y) - 1) without its removable singularity. The series is used so far out that the derivative of either
: branch is good to 1e-11 or better; at the customary 1e-6 that of the quotient is wrong in the fourth digit.
FUNCTION vtrap(x, y) {
    LOCAL z
    z = x/y
    if (fabs(z) < 0.01) {
        vtrap = y*(1 - z/2 + z*z/12 - z*z*z*z/720)
    } else {
        vtrap = x/(exp(z) - 1)
    }
}
