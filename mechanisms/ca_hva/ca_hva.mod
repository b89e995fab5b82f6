TITLE High-voltage-activated calcium current of neocortical pyramidal cells

COMMENT
Origin  Reuveni I, Friedman A, Amitai Y, Gutnick MJ (1993) Stepwise repolarization from Ca2+ plateaus in neocortical
        pyramidal cells: evidence for nonhomogeneous distribution of HVA Ca2+ channels in dendrites.
        J Neurosci 13:4609-4621. DOI 10.1523/JNEUROSCI.13-11-04609.1993. Rates of their model, without a temperature factor.
Units   mV, ms, mA/cm2, S/cm2. The driving force is ohmic and eca is read as the simulator gives it: this mechanism keeps
        no account of calcium.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX ca_hva
    USEION ca READ eca WRITE ica
    RANGE gbar
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar = 0.0001 (S/cm2) <0, 1e9>
    v             (mV)
    eca           (mV)
    ica           (mA/cm2)
}

STATE {
    m
    h
}

INITIAL {
    m = malpha(v)/(malpha(v) + mbeta(v))
    h = halpha(v)/(halpha(v) + hbeta(v))
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ica = gbar*m*m*h*(v - eca)
}

DERIVATIVE states {
    m' = malpha(v)*(1 - m) - mbeta(v)*m
    h' = halpha(v)*(1 - h) - hbeta(v)*h
}

FUNCTION malpha(vm) {
    malpha = 0.055*vtrap(-(vm + 27), 3.8)
}

FUNCTION mbeta(vm) {
    mbeta = 0.94*exp(-(vm + 75)/17)
}

FUNCTION halpha(vm) {
    halpha = 0.000457*exp(-(vm + 13)/50)
}

FUNCTION hbeta(vm) {
    hbeta = 0.0065/(exp(-(vm + 15)/28) + 1)
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
