TITLE Transient sodium current of layer 5 pyramidal cells

COMMENT
Origin  Colbert CM, Pan E (2002) Ion channel properties underlying axonal action potential initiation in pyramidal
        neurons. Nat Neurosci 5:533-538. DOI 10.1038/nn0602-857. Rates in the form that
        Hay E, Hill S, Schuermann F, Markram H, Segev I (2011) PLoS Comput Biol 7:e1002107,
        DOI 10.1371/journal.pcbi.1002107, uses (their NaTa_t): measured at 21 degC and sped up 2.3-fold per 10 degC to 34.
Units   mV, ms, mA/cm2, S/cm2, degC. `temp` is the channel's own temperature: as in Hay et al., the rates do not follow
        the simulator's.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX na
    USEION na READ ena WRITE ina
    RANGE gbar
    RANGE minf, mtau, hinf, htau
    GLOBAL temp
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar = 0.1 (S/cm2) <0, 1e9>
    temp = 34  (degC)
    v          (mV)
    ena        (mV)
    ina        (mA/cm2)
}

ASSIGNED {
    minf
    hinf
    mtau (ms)
    htau (ms)
}

STATE {
    m
    h
}

INITIAL {
    rates(v)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gbar*m^3*h*(v - ena)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
}

PROCEDURE rates(vm) {
    LOCAL alpha, beta, q10
    q10 = 2.3^((temp - 21)/10)

    alpha = 0.182*vtrap(-(vm + 38), 6)
    beta  = 0.124*vtrap(vm + 38, 6)
    mtau  = 1/(q10*(alpha + beta))
    minf  = alpha/(alpha + beta)

    alpha = 0.015*vtrap(vm + 66, 6)
    beta  = 0.015*vtrap(-(vm + 66), 6)
    htau  = 1/(q10*(alpha + beta))
    hinf  = alpha/(alpha + beta)
}

: x/(exp(x/y) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION vtrap(x, y) {
    LOCAL z
    z = x/y
    if (fabs(z) < 0.01) {
        vtrap = y*(1 - z/2 + z*z/12 - z*z*z*z/720)
    } else {
        vtrap = x/(exp(z) - 1)
    }
}
