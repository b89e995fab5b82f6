TITLE Calcium in shells under the membrane, with a pump

: Made for the tests of the parser: every construct of kinetics, none of anybody's model.
NEURON {
    SUFFIX shells
    USEION ca READ cao, ica WRITE cai, ica VALENCE 2 REPRESENTS CHEBI:29108
    RANGE ipump
    GLOBAL width
    THREADSAFE
}

DEFINE SHELLS 4 : how many

UNITS {
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    FARADAY = (faraday) (kilocoulombs)
    PI = (pi) (1)
}

INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

PARAMETER {
    spread = .3 (um2/ms) <0, 1e9>
    kon = 100 (/mM-ms)   koff = 0.02(/ms)
    buffered = 30
}

CONSTANT { outside = 1 (liter) }

ASSIGNED {
    v (mV)
    diam (um)
    cai (mM) cao (mM)
    ica (mA/cm2)
    ipump (mA/cm2)
    width[SHELLS]
}

ASSIGNED { area1 (um2) }

STATE {
    ca[SHELLS] (mM) <1e-7>
    free (mol/cm2) <1e-16>
    bound (mol/cm2) <1e-16>
}

LOCAL between[SHELLS], ready

INITIAL { LOCAL all
    MUTEXLOCK
    if (ready == 0) { geometry() ready = 1 }
    MUTEXUNLOCK
    FROM k = 0 TO SHELLS-1 {
        ca[k] = cai
    }
    all = 1e-13
    SOLVE exchange STEADYSTATE sparse
}

BREAKPOINT {
    SOLVE exchange METHOD sparse
    ica = ipump
}

KINETIC exchange {
    COMPARTMENT k, (1 + buffered)*diam*width[k]*1(um) {ca}
    COMPARTMENT (1e10)*area1 {free, bound}
    COMPARTMENT outside*(1e15) {cao}
    ~ ca[0] + free <-> bound (kon, koff)
    ~ bound <-> free + cao (koff, .08(/mM-ms))
    ipump = (1e-4)*2*FARADAY*(f_flux - b_flux)/area1
    ~ ca[0] << (-ica*area1*(1e4)/(2*FARADAY))
    FROM k = 0 TO SHELLS-2 {
        ~ ca[k] <-> ca[k+1] (spread*between[k+1]*1(um), spread*between[k+1]*1(um))
    }
    ~ 2 bound -> (0.001(/ms))
    CONSERVE free + bound = (1e10)*area1*1e-13
    cai = ca[0]
}

PROCEDURE geometry() {
    LOCAL r
    r = 1/2
    FROM k = 0 TO SHELLS-1 BY 1 {
        width[k] = PI*r/SHELLS
        between[k] = 2*PI*r*SHELLS
        PROTECT r = r - 1/2/SHELLS
    }
    WHILE (r > 0) { r = r - 1 }
    area1 = PI*diam*1(um)
}
