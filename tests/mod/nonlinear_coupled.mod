TITLE A slow potassium channel with cooperating states (test mechanism)

COMMENT
Origin  Ours, for tests; no published channel. The gate p opens a lock q by a quadratic law and is closed by it by a
        product, so the equations are coupled and nonlinear and METHOD derivimplicit has to iterate:
            p' = alpha(v) (1 - p) - beta(v) p (1 + couple q)
            q' = kon p^2 (1 - q) - koff q
        The current passes through p squared and what the lock leaves open.
Units   mV, ms, mA/cm2, S/cm2.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX nonlinear_coupled
    USEION k READ ek WRITE ik
    RANGE gbar, vhalf, couple, kon
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    gbar   = 0.004 (S/cm2) <0, 1e9>
    vhalf  = -35   (mV)
    couple = 2     (1)
    kon    = 0.4   (/ms)
    koff   = 0.1   (/ms)
    v              (mV)
    ek             (mV)
    ik             (mA/cm2)
}

STATE {
    p
    q
}

: Closed and unlocked: the equations have no rest in closed form, and the run starts with their relaxation.
INITIAL {
    p = opening(v)/(opening(v) + closing(v))
    q = 0
}

BREAKPOINT {
    SOLVE states METHOD derivimplicit
    ik = gbar*p*p*(1 - 0.5*q)*(v - ek)
}

DERIVATIVE states {
    LOCAL alpha, beta
    alpha = opening(v)
    beta  = closing(v)
    p' = alpha*(1 - p) - beta*p*(1 + couple*q)
    q' = kon*p*p*(1 - q) - koff*q
}

FUNCTION opening(vm) {
    opening = 0.5*exp((vm - vhalf)/25)
}

FUNCTION closing(vm) {
    closing = 0.5*exp(-(vm - vhalf)/25)
}
