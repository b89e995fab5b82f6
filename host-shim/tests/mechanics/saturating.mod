: Made up: each event opens a part of what is closed. Not linear, so placements are never merged, and the order of events
: within a step matters. Sorts after the channels.
NEURON {
    POINT_PROCESS saturating
    RANGE gmax, rise, fall
    NONSPECIFIC_CURRENT i
}
PARAMETER {
    gmax = 0.002 (uS)
    rise = 0.5 (ms)
    fall = 4 (ms)
}
STATE { a b }
INITIAL {
    a = 0
    b = 0
}
BREAKPOINT {
    SOLVE decay METHOD cnexp
    i = gmax*(b - a)*(v - 5)
}
DERIVATIVE decay {
    a' = -a/rise
    b' = -b/fall
}
NET_RECEIVE(weight) {
    a = a + weight*(1 - a)
    b = b + weight*a*(1 - b)
}
