DEFINE N 3
NEURON {
    SUFFIX shells
}

STATE { c[N] }

INITIAL {
    FROM i = 0 TO N - 1 { c[i] = 1 }
    c[N] = 2 : error[bad-index]
}

BREAKPOINT { SOLVE decay METHOD sparse }

DERIVATIVE decay {
    c[0]' = -c[0]
    c[1]' = -c[1]
    c[2]' = -c[2]
}
