: Two Ornstein-Uhlenbeck conductances over the membrane: Destexhe, Rudolph, Fellous and Sejnowski, Neuroscience 107 (2001)
: 13-24.
NEURON {
    SUFFIX restless
    NONSPECIFIC_CURRENT i
    RANGE ge, gi, se, si
}
PARAMETER {
    ge = 0.00003 (S/cm2)
    gi = 0.00012 (S/cm2)
    se = 0.00002 (S/cm2)
    si = 0.00003 (S/cm2)
}
STATE { e h }
WHITE_NOISE { first second }
INITIAL {
    e = ge
    h = gi
}
BREAKPOINT {
    SOLVE drift METHOD stochastic
    i = e*v + h*(v + 75)
}
DERIVATIVE drift {
    e' = (ge - e)/2.7 + se*0.86*first
    h' = (gi - h)/10.5 + si*0.44*second
}
