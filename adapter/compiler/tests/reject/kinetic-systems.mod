NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
STATE { a b }
INITIAL { a = 1 b = 0 }
BREAKPOINT {
    SOLVE scheme METHOD sparse
    SOLVE empty METHOD sparse
    i = a
}
KINETIC scheme {
    COMPARTMENT 2 { a lost } : error[unknown-name]
    ~ a <-> b (1, 2)
    CONSERVE a + b = 1
    CONSERVE b = 0
    CONSERVE a = 1 : error[singular-system]
}
KINETIC empty { : error[state-without-equation]
}
