TITLE Low-voltage-activated (T-type) calcium current of thalamic relay cells

COMMENT
Origin  Huguenard JR, McCormick DA (1992) Simulation of the currents involved in rhythmic oscillations in thalamic
        relay neurons. J Neurophysiol 68:1373-1383. DOI 10.1152/jn.1992.68.4.1373. Gates m2h with their
        half-activation of -57 mV and half-inactivation of -81 mV at 24 degC; the inactivation's time constant jumps
        at -80 mV, as published. Current: constant field, Goldman DE (1943) Potential, impedance, and rectification in
        membranes. J Gen Physiol 27:37-60, DOI 10.1085/jgp.27.1.37; Hodgkin AL, Katz B (1949) J Physiol 108:37-77, DOI
        10.1113/jphysiol.1949.sp004310.
Units   mV, ms, mM, cm/s, mA/cm2, degC; R in J/(K mol), F in C/mol. mmol/l is 1e-6 mol/cm3, A is 1e3 mA: together
        1e-3. Both rates speed up `q10`-fold per 10 degC; 2.5 is our choice between those in use.
Runs in Arbor and NEURON as it stands.
ENDCOMMENT

NEURON {
    SUFFIX ca_lva
    USEION ca READ cai, cao WRITE ica VALENCE 2
    RANGE pbar, shift
    GLOBAL q10
}

UNITS {
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mM) = (milli/liter)
}

PARAMETER {
    pbar  = 5e-5 (cm/s) <0, 1e9>
    shift = 0    (mV)
    q10   = 2.5
    celsius      (degC)
    v            (mV)
    cai          (mM)
    cao          (mM)
    ica          (mA/cm2)
}

CONSTANT {
    gas = 8.31446261815324
    faraday = 96485.3321233100184
}

STATE {
    m
    h
}

INITIAL {
    m = minf(v - shift)
    h = hinf(v - shift)
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ica = pbar*m*m*h*field(v, celsius, cai, cao)
}

DERIVATIVE states {
    m' = (minf(v - shift) - m)*speed(celsius)/mtau(v - shift)
    h' = (hinf(v - shift) - h)*speed(celsius)/htau(v - shift)
}

FUNCTION speed(temp) {
    speed = q10^((temp - 24)/10)
}

FUNCTION minf(vm) {
    minf = 1/(1 + exp(-(vm + 57)/6.2))
}

FUNCTION hinf(vm) {
    hinf = 1/(1 + exp((vm + 81)/4))
}

FUNCTION mtau(vm) {
    mtau = 0.612 + 1/(exp(-(vm + 132)/16.7) + exp((vm + 16.8)/18.2))
}

FUNCTION htau(vm) {
    if (vm < -80) {
        htau = exp((vm + 467)/66.6)
    } else {
        htau = 28 + exp(-(vm + 22)/10.5)
    }
}

: Current density for a permeability of 1 cm/s: z F x (inside - outside exp(-x))/(1 - exp(-x)) with x = z F V/(R T)
: and z = 2.
FUNCTION field(vm, temp, inside, outside) {
    LOCAL x
    x = 2e-3*faraday*vm/(gas*(temp + 273.15))
    field = 2e-3*faraday*(inside*ratio(-x) - outside*ratio(x))
}

: x/(exp(x) - 1) without its removable singularity; see hh.mod for the switching point.
FUNCTION ratio(x) {
    if (fabs(x) < 0.01) {
        ratio = 1 - x/2 + x*x/12 - x*x*x*x/720
    } else {
        ratio = x/(exp(x) - 1)
    }
}
