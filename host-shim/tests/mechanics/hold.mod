: Holds the voltage; sees concentrations of the step just done.
NEURON {
    VOLTAGE_PROCESS hold
    RANGE level, drift
}
PARAMETER {
    level = -40 (mV)
    drift = 0.2
}
STATE { q }
INITIAL { q = 0 }
BREAKPOINT {
    SOLVE move METHOD cnexp
    v = level + q
}
DERIVATIVE move { q' = drift - 0.05*q }
