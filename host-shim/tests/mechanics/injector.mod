: Adds to a diffusive concentration at every event.
NEURON {
    POINT_PROCESS injector
    USEION s WRITE sd
    RANGE amount
}
PARAMETER { amount = 1 }
INITIAL {}
BREAKPOINT {}
NET_RECEIVE(weight) { sd = sd + amount*weight }
