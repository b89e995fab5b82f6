NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
STATE { a b c d }
INITIAL {
    SOLVE squared
    SOLVE same
    SOLVE twice
}
BREAKPOINT { i = a + b + c + d }
LINEAR squared { : error[singular-system]
    ~ a*b = 1
    ~ a + b = 2
}
LINEAR same { : error[singular-system]
    ~ a + b = 1
    ~ a + b = 2
}
NONLINEAR twice { : error[singular-system]
    ~ c*c = 4
    ~ c = 2
}
