TITLE Fast, non-inactivating potassium current (Kv3.1)

COMMENT
Origin  Rettig J, Wunder F, Stocker M, Lichtinghagen R, Mastiaux F, Beckh S, Kues W, Pedarzani P, Schroeter KH,
        Ruppersberg JP, Veh R, Pongs O (1992) Characterization of a Shaw-related potassium channel family in rat brain.
        EMBO J 11:2473-2486. DOI 10.1002/j.1460-2075.1992.tb05312.x. Activation curve and time constant as in
        Hay E, Hill S, Schuermann F, Markram H, Segev I (2011) PLoS Comput Biol 7:e1002107,
        DOI 10.1371/journal.pcbi.1002107.
Units   mV, ms, mA/cm2, S/cm2. The rates do not depend on the simulator's temperature.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX kv
    USEION k READ ek WRITE ik
    RANGE gbar
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar = 0.01 (S/cm2) <0, 1e9>
    v           (mV)
    ek          (mV)
    ik          (mA/cm2)
}

STATE {
    m
}

INITIAL {
    m = minf(v)
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*m*(v - ek)
}

DERIVATIVE states {
    m' = (minf(v) - m)/mtau(v)
}

FUNCTION minf(vm) {
    minf = 1/(1 + exp(-(vm - 18.7)/9.7))
}

FUNCTION mtau(vm) {
    mtau = 4/(1 + exp(-(vm + 46.56)/44.14))
}
