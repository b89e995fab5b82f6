TITLE Fluctuating current: an Ornstein-Uhlenbeck process

COMMENT
Origin  Uhlenbeck GE, Ornstein LS (1930) On the theory of the Brownian motion. Phys Rev 36:823-841.
        DOI 10.1103/PhysRev.36.823. Stationary: mean `mean`, standard deviation `sigma`, correlation exp(-lag/tau).
Sign    A positive x depolarises, as the current of an electrode does; the membrane current is -x.
Units   ms, nA. Stepped by Euler-Maruyama: with a = dt/tau the variance is sigma^2/(1 - a/2), the correlation after k
        steps (1 - a)^k. x starts at `mean`, so the variance grows as sigma^2 (1 - exp(-2t/tau)).
Runs in Arbor only: NEURON has no WHITE_NOISE.
ENDCOMMENT

NEURON {
    POINT_PROCESS ou_noise
    NONSPECIFIC_CURRENT i
    RANGE mean, sigma, tau
}

UNITS {
    (nA) = (nanoamp)
}

PARAMETER {
    mean  = 0   (nA)
    sigma = 0.1 (nA) <0, 1e9>
    tau   = 5   (ms) <1e-9, 1e9>
}

STATE {
    x (nA)
}

WHITE_NOISE {
    noise
}

INITIAL {
    x = mean
}

BREAKPOINT {
    SOLVE process METHOD stochastic
    i = -x
}

DERIVATIVE process {
    x' = (mean - x)/tau + sigma*sqrt(2/tau)*noise
}
