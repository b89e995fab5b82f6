NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

PROCEDURE p() {
    FROM k = 0 { : error[unexpected-token]
    }
    FROM k TO 3 { : error[unexpected-token]
    }
    FROM 1 = 0 TO 3 { : error[unexpected-token]
    }
    FROM k = 0 TO 3 BY { : error[unexpected-token]
    }
    FROM k = 0 TO 3 a = 1 : error[unexpected-token]
    WHILE v > 0 { : error[unexpected-token]
    }
    WHILE (v > 0) v = 1 : error[unexpected-token]
}

BREAKPOINT {
    i = g*v
}
