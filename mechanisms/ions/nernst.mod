TITLE Reversal potential from concentrations

COMMENT
Origin  Nernst W (1889) Die elektromotorische Wirksamkeit der Jonen. Z Phys Chem 4:129-181. DOI
        10.1515/zpch-1889-0412. Constants: Tiesinga E, Mohr PJ, Newell DB, Taylor BN (2021) CODATA recommended values
        of the fundamental physical constants: 2018. Rev Mod Phys 93:025010. DOI 10.1103/RevModPhys.93.025010; both
        are exact since 2019.
Units   mV, mM, degC. R in J/(K mol), F in C/mol; the factor 1000 turns V into mV.
Use     As the reversal potential method of an ion: `nernst/x=ca`. The valence zx is that of the ion.
Runs in Arbor only: NEURON computes Nernst potentials itself (ion_style) and knows no VALENCE by name.
ENDCOMMENT

NEURON {
    SUFFIX nernst
    USEION x READ xi, xo WRITE ex VALENCE zx
    GLOBAL R, F
}

UNITS {
    (mV) = (millivolt)
    (mM) = (milli/liter)
}

PARAMETER {
    R = 8.31446261815324   (joule/kelvin/mole)
    F = 96485.3321233100184 (coulomb/mole)
    celsius (degC)
}

BREAKPOINT {
    ex = 1000*R*(celsius + 273.15)/(zx*F)*log(xo/xi)
}
