TITLE Hyperpolarisation-activated cation current of layer 5 pyramidal dendrites

COMMENT
Origin  Kole MHP, Hallermann S, Stuart GJ (2006) Single Ih channels in pyramidal neuron dendrites: properties,
        distribution, and impact on action potential output. J Neurosci 26:1677-1687.
        DOI 10.1523/JNEUROSCI.3664-05.2006. Rates as fitted there (34 degC), reversal potential -45 mV, in the form that
        Hay E, Hill S, Schuermann F, Markram H, Segev I (2011) PLoS Comput Biol 7:e1002107,
        DOI 10.1371/journal.pcbi.1002107, uses.
Units   mV, ms, mA/cm2, S/cm2. The rates do not depend on the simulator's temperature.
Runs in Arbor as it stands. NEURON wants ASSIGNED { i (mA/cm2) } besides, which Arbor refuses.
ENDCOMMENT

NEURON {
    SUFFIX ih
    NONSPECIFIC_CURRENT i
    RANGE gbar, eh
    RANGE minf, mtau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar = 0.0002 (S/cm2) <0, 1e9>
    eh   = -45    (mV)
    v             (mV)
}

ASSIGNED {
    minf
    mtau (ms)
}

STATE {
    m
}

INITIAL {
    rates(v)
    m = minf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar*m*(v - eh)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
}

PROCEDURE rates(vm) {
    LOCAL alpha, beta
    alpha = 0.00643*vtrap(vm + 154.9, 11.9)
    beta  = 0.193*exp(vm/33.1)
    minf  = alpha/(alpha + beta)
    mtau  = 1/(alpha + beta)
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
