TITLE M current: slow, non-inactivating potassium current

COMMENT
Origin  Adams PR, Brown DA, Constanti A (1982) M-currents and other potassium currents in bullfrog sympathetic neurones.
        J Physiol 330:537-572. DOI 10.1113/jphysiol.1982.sp014357. Rates as in Yamada WM, Koch C, Adams PR (1989)
        Multiple channels and calcium dynamics, in Koch C, Segev I (eds) Methods in Neuronal Modeling, MIT Press:
        3.3 /s at -35 mV, e-fold per 20 mV either way, hence half-activation at -35 mV with a slope of 10 mV, and the
        slowest time constant, 1/6.6 s, at the same voltage. Temperature factor, 2.3 per 10 degC from 21 degC, as in
        Hay E, Hill S, Schuermann F, Markram H, Segev I (2011) PLoS Comput Biol 7:e1002107,
        DOI 10.1371/journal.pcbi.1002107.
Units   mV, ms, mA/cm2, S/cm2, degC.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX km
    USEION k READ ek WRITE ik
    RANGE gbar, vhalf
    GLOBAL q10
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar  = 0.0001 (S/cm2) <0, 1e9>
    vhalf = -35    (mV)
    q10   = 2.3
    celsius        (degC)
    v              (mV)
    ek             (mV)
    ik             (mA/cm2)
}

STATE {
    n
}

INITIAL {
    n = 1/(1 + exp(-(v - vhalf)/10))
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*n*(v - ek)
}

DERIVATIVE states {
    LOCAL a, b
    a = rate(v - vhalf, celsius)
    b = rate(vhalf - v, celsius)
    n' = a*(1 - n) - b*n
}

FUNCTION rate(x, temp) {
    rate = 0.0033*q10^((temp - 21)/10)*exp(x/20)
}
