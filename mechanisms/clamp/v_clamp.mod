TITLE Ideal voltage clamp

COMMENT
Origin  Hodgkin AL, Huxley AF, Katz B (1952) Measurement of current-voltage relations in the membrane of the giant
        axon of Loligo. J Physiol 116:424-448. DOI 10.1113/jphysiol.1952.sp004716. Without series resistance: the
        membrane is at `hold` after every step.
Units   mV.
Runs in Arbor only: NEURON clamps with SEClamp.
ENDCOMMENT

NEURON {
    VOLTAGE_PROCESS v_clamp
    RANGE hold
}

UNITS {
    (mV) = (millivolt)
}

PARAMETER {
    hold = -65 (mV)
}

BREAKPOINT {
    v = hold
}
