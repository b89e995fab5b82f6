NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
PARAMETER { v (mV) g = 1 }
STATE { m[2] n }
INITIAL {
    m[0] = 0
    m[1] = 0
    n = 0
}
BREAKPOINT {
    SOLVE s METHOD cnexp
    i = m : error[bad-index]
    i = g[1] : error[bad-index]
    i = lost[1] : error[unknown-name]
    i = m[0.5] : error[bad-index]
    i = m[v] : error[bad-index]
    i = m[2] : error[bad-index]
    m = 1 : error[bad-index]
    n[0] = 1 : error[bad-index]
}
DERIVATIVE s {
    m[0]' = -m[0]
    m[1]' = -m[1]
    n' = -n
    q' = -n : error[unknown-name]
    i' = -n : error[not-assignable]
}
