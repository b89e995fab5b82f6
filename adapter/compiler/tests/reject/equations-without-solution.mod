NEURON {
    SUFFIX linear
    NONSPECIFIC_CURRENT i
}

STATE { a b }

INITIAL { SOLVE start }

LINEAR start { : error[singular-system]
    ~ a + b = 1
}

BREAKPOINT { i = a*b }
