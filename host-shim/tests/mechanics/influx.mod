: A calcium current that feels eca.
NEURON {
    SUFFIX influx
    USEION ca READ eca WRITE ica
    RANGE gmax
}
PARAMETER { gmax = 0.0002 (S/cm2) }
STATE { m }
INITIAL { m = 1/(1 + exp(-(v + 30)/8)) }
BREAKPOINT {
    SOLVE gate METHOD cnexp
    ica = gmax*m*m*(v - eca)
}
DERIVATIVE gate { m' = (1/(1 + exp(-(v + 30)/8)) - m)/2 }
