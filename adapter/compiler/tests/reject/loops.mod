NEURON { SUFFIX x NONSPECIFIC_CURRENT i RANGE n }
PARAMETER { n = 3 v (mV) }
BREAKPOINT {
    LOCAL sum
    sum = 0
    FROM j = 0 TO n { : error[unbounded-loop]
        sum = sum + j
    }
    FROM j = 0 TO 10 BY 0 { : error[unbounded-loop]
        sum = sum + j
    }
    FROM j = 0 TO 1000000 { : error[unbounded-loop]
        sum = sum + 1
    }
    WHILE (1 > 0) { : error[unbounded-loop]
        sum = sum + 1
    }
    i = sum*v
}
