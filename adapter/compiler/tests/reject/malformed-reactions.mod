NEURON {
    SUFFIX x
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

KINETIC k {
    ~ a <-> b (1) : error[unexpected-token]
    ~ a -> b (1, 2) : error[unexpected-token]
    ~ a <-> b c (1, 2) : error[unexpected-token]
    ~ a <-> (1, 2) : error[unexpected-token]
    ~ a + b << (1) : error[unexpected-token]
    ~ a << b : error[unexpected-token]
    ~ a = b : error[unexpected-token]
    ~ 0 a <-> b (1, 2) : error[bad-number]
    ~ 1.5 a <-> b (1, 2) : error[bad-number]
    ~ 2.5a <-> b (1, 2) : error[bad-number]
    ~ a[ <-> b (1, 2) : error[unexpected-token]
    ~ a <-> b (1, 2) 2 : error[unexpected-token]
    ~ (a) <-> b (1, 2) : error[unexpected-token]
    CONSERVE a*2 = 1 : error[unexpected-token]
    CONSERVE a + b 1 : error[unexpected-token]
    CONSERVE 3 = 1 : error[unexpected-token]
    COMPARTMENT 2 a : error[unexpected-token]
    COMPARTMENT i, 2 {1} : error[unexpected-token]
}

LINEAR l {
    ~ a <-> b (1, 2) : error[unexpected-token]
    ~ a, b : error[unexpected-token]
}

BREAKPOINT {
    i = g*v
}
