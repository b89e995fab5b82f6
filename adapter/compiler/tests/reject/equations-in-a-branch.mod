NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
PARAMETER { v (mV) }
STATE { a b }
INITIAL { a = 0 b = 0 }
BREAKPOINT {
    SOLVE l
    i = a + b
}
LINEAR l {
    ~ a + b = 1
    IF (v > 0) { ~ a - b = v } ELSE { ~ a - 2*b = v }
    IF (v > 1) { : error[singular-system]
        ~ a = 2
    }
}
