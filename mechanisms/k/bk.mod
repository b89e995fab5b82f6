TITLE Large-conductance potassium current, gated by voltage and calcium

COMMENT
Origin  Moczydlowski E, Latorre R (1983) Gating kinetics of Ca2+-activated K+ channels from rat muscle incorporated
        into planar lipid bilayers: evidence for two voltage-dependent Ca2+ binding reactions. J Gen Physiol
        82:511-542. DOI 10.1085/jgp.82.4.511. Their scheme of one closed-to-open step between two calcium bindings,
        each at a share d1, d2 of the membrane's field. Affinities and rates as in the hippocampal cell of Migliore M,
        Cook EP, Jaffe DB, Turner DA, Johnston D (1995) J Neurophysiol 73:1157-1168 (DOI not verified); for the
        muscle's channel A of their table II set k1 = 0.18, k2 = 0.011 mM, opening = 0.48, closing = 0.28 /ms.
Units   mV, ms, mM, mA/cm2, S/cm2, degC; R in J/(K mol), F in C/mol, so that mV takes a factor 1e-3.
        Temperature enters the voltage dependence of the bindings, not the rates.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX bk
    USEION ca READ cai
    USEION k READ ek WRITE ik
    RANGE gbar, k1, k2, d1, d2, opening, closing
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mM) = (milli/liter)
    (S)  = (siemens)
}

PARAMETER {
    gbar    = 0.001   (S/cm2) <0, 1e9>
    k1      = 0.48e-3 (mM)
    k2      = 0.13e-6 (mM)
    d1      = 0.84
    d2      = 1
    opening = 0.28    (/ms)
    closing = 0.48    (/ms)
    celsius           (degC)
    v                 (mV)
    cai               (mM)
    ek                (mV)
    ik                (mA/cm2)
}

CONSTANT {
    gas = 8.31446261815324
    faraday = 96485.3321233100184
}

STATE {
    o
}

INITIAL {
    LOCAL a, b
    a = alpha(v, celsius, cai)
    b = beta(v, celsius, cai)
    o = a/(a + b)
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*o*(v - ek)
}

DERIVATIVE states {
    LOCAL a, b
    a = alpha(v, celsius, cai)
    b = beta(v, celsius, cai)
    o' = a*(1 - o) - b*o
}

FUNCTION alpha(vm, temp, ca) {
    alpha = opening*ca/(ca + affinity(k1, d1, vm, temp))
}

FUNCTION beta(vm, temp, ca) {
    beta = closing/(1 + ca/affinity(k2, d2, vm, temp))
}

: Dissociation constant at vm, of a doubly charged ion that crosses the share d of the field.
FUNCTION affinity(at0, d, vm, temp) {
    affinity = at0*exp(-2e-3*d*faraday*vm/(gas*(temp + 273.15)))
}
