TITLE A leak whose reversal potential a controller moves until the voltage is where it should be

COMMENT
Origin  Ours: the linear loop of online control (Landsmeer et al. 2024, arXiv 2412.07327, stability), as a mechanism.
        Voltage, sensitivity and objective are linear and quadratic, so the loop's stability has a closed form.
Units   mV, ms, S/cm2, mA/cm2; e in mV2 ms.
ENDCOMMENT

NEURON {
    SUFFIX setpoint
    NONSPECIFIC_CURRENT i
    RANGE g, el, v_target
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (S)  = (siemens)
}

PARAMETER {
    g        = 3e-4 (S/cm2) <0, 1e9>
    el       = 1    (mV)
    v_target = 0    (mV)
    v               (mV)
}

STATE {
    e
}

INITIAL {
    e = 0
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = g*(v - el)
}

DERIVATIVE states {
    e' = (v - v_target)*(v - v_target)/2
}
