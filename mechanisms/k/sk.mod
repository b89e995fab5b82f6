TITLE Small-conductance calcium-activated potassium current

COMMENT
Origin  Koehler M, Hirschberg B, Bond CT, Kinzie JM, Marrion NV, Maylie J, Adelman JP (1996) Small-conductance,
        calcium-activated potassium channels from mammalian brain. Science 273:1709-1714. DOI
        10.1126/science.273.5282.1709. Half-activation 0.43 uM, Hill coefficient 4.8 and a time constant of 1 ms in
        the form that Hay E, Hill S, Schuermann F, Markram H, Segev I (2011) PLoS Comput Biol 7:e1002107, DOI
        10.1371/journal.pcbi.1002107, uses.
Units   mV, ms, mM, mA/cm2, S/cm2. Gated by calcium only; no temperature factor.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX sk
    USEION ca READ cai
    USEION k READ ek WRITE ik
    RANGE gbar, half, hill, tau
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mM) = (milli/liter)
    (S)  = (siemens)
}

PARAMETER {
    gbar = 0.0001  (S/cm2) <0, 1e9>
    half = 0.00043 (mM)    <1e-9, 1e9>
    hill = 4.8             <1, 100>
    tau  = 1       (ms)    <1e-9, 1e9>
    v              (mV)
    cai            (mM)
    ek             (mV)
    ik             (mA/cm2)
}

STATE {
    z
}

INITIAL {
    z = zinf(cai)
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*z*(v - ek)
}

DERIVATIVE states {
    z' = (zinf(cai) - z)/tau
}

: Without calcium the gate is shut; the power needs a positive base.
FUNCTION zinf(ca) {
    if (ca > 0) {
        zinf = 1/(1 + (half/ca)^hill)
    } else {
        zinf = 0
    }
}
