NEURON { SUFFIX x NONSPECIFIC_CURRENT i }
BREAKPOINT {
    once()
    never() : error[unknown-function]
    i = twice(v)
}
PROCEDURE once() { }
PROCEDURE once() { } : error[duplicate-definition]
FUNCTION twice(x) { twice = 2*x }
DERIVATIVE twice { } : error[duplicate-definition]
