: Spike-timing dependent plasticity by pairs: Song, Miller and Abbott, Nat. Neurosci. 3 (2000) 919-926.
NEURON {
    POINT_PROCESS pairing
    RANGE tau, before, after, gmax
    NONSPECIFIC_CURRENT i
}
PARAMETER {
    tau = 12 (ms)
    before = 0.2
    after = -0.15
    gmax = 0.003 (uS)
}
STATE { g pre post w }
ASSIGNED { late }
INITIAL {
    g = 0
    pre = 0
    post = 0
    w = 1
    late = 0
}
BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = g*v
}
DERIVATIVE decay {
    g' = -g/3
    pre' = -pre/tau
    post' = -post/tau
}
NET_RECEIVE(weight) {
    g = g + gmax*w*weight
    pre = pre + before
    w = w + post
}
POST_EVENT(time) {
    post = post + after
    w = w + pre
    late = time
}
