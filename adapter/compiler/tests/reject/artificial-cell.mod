NEURON {
    ARTIFICIAL_CELL ticker : error[unsupported]
}

PARAMETER { period = 10 (ms) }

INITIAL { net_send(period, 1) } : error[unsupported]

BREAKPOINT { }

NET_RECEIVE(w) {
    net_event(t) : error[unsupported]
    net_send(period, 1) : error[unsupported]
}
