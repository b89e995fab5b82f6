TITLE Calcium below the membrane: influx into a shell, first-order removal

COMMENT
Origin  Destexhe A, Babloyantz A, Sejnowski TJ (1993) Ionic mechanisms for intrinsic slow oscillations in thalamic
        relay neurons. Biophys J 65:1538-1552. DOI 10.1016/S0006-3495(93)81190-1 (influx into a shell). Destexhe A,
        Contreras D, Sejnowski TJ, Steriade M (1994) A model of spindle rhythmicity in the isolated thalamic reticular
        nucleus. J Neurophysiol 72:803-818. DOI 10.1152/jn.1994.72.2.803 (removal with one time constant). `unbound`
        is the share of the ions that buffers leave free; 1 in these papers.
Units   mM, ms, um, mA/cm2; F in C/mol. 1e4 turns mA/cm2 over (um C/mol) into mM/ms.
        An inward current is negative and raises cai. Nothing keeps cai positive if the current is outward for long.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX ca_pool
    USEION ca READ ica WRITE cai VALENCE 2
    RANGE depth, tau, rest, unbound
}

UNITS {
    (mA) = (milliamp)
    (mM) = (milli/liter)
    (um) = (micron)
}

PARAMETER {
    depth   = 1      (um) <1e-9, 1e9>
    tau     = 5      (ms) <1e-9, 1e9>
    rest    = 2.4e-4 (mM) <0, 1e9>
    unbound = 1      <0, 1>
    ica              (mA/cm2)
}

CONSTANT {
    faraday = 96485.3321233100184
}

STATE {
    cai (mM)
}

INITIAL {
    cai = rest
}

BREAKPOINT {
    SOLVE removal METHOD cnexp
}

DERIVATIVE removal {
    cai' = -1e4*unbound*ica/(2*faraday*depth) - (cai - rest)/tau
}
