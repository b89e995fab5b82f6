: A noisy current at a point; linear, but its placements are never merged, because each draws its own numbers.
NEURON {
    POINT_PROCESS jitter
    RANGE mean, sd
    NONSPECIFIC_CURRENT i
}
PARAMETER {
    mean = -0.01 (nA)
    sd = 0.05 (nA)
}
STATE { x }
WHITE_NOISE { w }
INITIAL { x = 0 }
BREAKPOINT {
    SOLVE drift METHOD stochastic
    i = mean + x
}
DERIVATIVE drift { x' = -x/3 + sd*0.8*w }
