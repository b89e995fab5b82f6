NEURON {
    POINT_PROCESS noise
    NONSPECIFIC_CURRENT i
}

WHITE_NOISE { W } : error[unknown-method]

BREAKPOINT { i = W }
