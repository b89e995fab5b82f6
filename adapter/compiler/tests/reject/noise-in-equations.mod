NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
STATE { a b }
WHITE_NOISE { W }
INITIAL { a = 0 b = 0 }
BREAKPOINT {
    SOLVE smooth METHOD cnexp
    SOLVE rough METHOD stochastic
    i = a + b
}
DERIVATIVE smooth {
    a' = -a + W : error[unknown-method]
}
DERIVATIVE rough {
    b' = -b + W*W : error[not-differentiable]
}
