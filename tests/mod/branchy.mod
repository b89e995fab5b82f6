TITLE A sodium channel that takes every turn (test mechanism)

COMMENT
Origin  Ours, for tests. The rates follow Hodgkin AL, Huxley AF (1952) J Physiol 117:500-544,
        DOI 10.1113/jphysiol.1952.sp004764, with a rectified activation and a slow inactivation of our own making.
        Exercises IF, ELSE IF and ELSE, a PROCEDURE with several results, a FUNCTION that calls a FUNCTION, LOCAL, TABLE,
        GLOBAL, CONSTANT, and a temperature factor computed once in INITIAL.
Units   mV, ms, mA/cm2, S/cm2, degC.
Runs in NEURON as it stands; Arbor does not know TABLE, and takes the file without that line.
ENDCOMMENT

NEURON {
    SUFFIX branchy
    USEION na READ ena WRITE ina
    RANGE gbar, shift
    RANGE speed
    GLOBAL steep
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

CONSTANT {
    reference = 6.3 (degC)
    factor = 3 (1)
}

PARAMETER {
    gbar  = 0.12 (S/cm2) <0, 1e9>
    shift = 0    (mV) <-50, 50>
    steep = 10   (mV)
    celsius      (degC)
    v            (mV)
    ena          (mV)
    ina          (mA/cm2)
}

ASSIGNED {
    speed
    minf
    hinf
    mtau  (ms)
    htau  (ms)
}

STATE {
    m FROM 0 TO 1
    h FROM 0 TO 1
    s FROM 0 TO 1
}

INITIAL {
    speed = factor^((celsius - reference)/10)
    rates(v)
    m = minf
    h = hinf
    s = 1
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gbar*m*m*m*h*s*(v - ena)
}

DERIVATIVE states {
    LOCAL target
    rates(v + shift)
    m' = speed*(minf - m)/mtau
    h' = speed*(hinf - h)/htau
    if (v > 0) {
        target = 0.7
    } else if (v > -40) {
        target = 0.7 - 0.3*v/40
    } else {
        target = 1
    }
    s' = (target - s)/50
}

PROCEDURE rates(vm) {
    LOCAL alpha, beta
    TABLE minf, mtau, hinf, htau DEPEND steep FROM -150 TO 150 WITH 300
    alpha = 0.1*steep*linoid(-(vm + 40)/steep)
    beta  = 4*exp(-(vm + 65)/18)
    mtau  = 1/(alpha + beta)
    minf  = alpha/(alpha + beta)
    alpha = 0.07*exp(-(vm + 65)/20)
    beta  = sigmoidal((vm + 35)/10)
    htau  = 1/(alpha + beta)
    hinf  = alpha/(alpha + beta)
}

FUNCTION linoid(x) {
    if (small(x) > 0) {
        linoid = 1 - x/2 + x*x/12 - x^4/720
    } else {
        linoid = x/(exp(x) - 1)
    }
}

FUNCTION small(x) {
    small = 0
    if (fabs(x) < 0.01) {
        small = 1
    }
}

FUNCTION sigmoidal(x) {
    sigmoidal = 1/(exp(-x) + 1)
}
