: Lets a diffusive concentration decay, and drives a current with it.
NEURON {
    SUFFIX uptake
    USEION s READ sd WRITE sd
    NONSPECIFIC_CURRENT i
    RANGE g, rate
}
PARAMETER {
    g = 0.00002 (S/cm2)
    rate = 0.03
}
INITIAL {}
BREAKPOINT {
    sd = sd - rate*sd
    i = g*sd*v
}
