(title "Passive membrane")
(neuron
  (suffix pas)
  (nonspecific i)
  (range g e))
(unit mA "milliamp")
(unit mV "millivolt")
(unit S "siemens")
(parameter g 0.001 "S/cm2" (limits 0.0 1000000000.0))
(parameter e -65.0 "mV")
(parameter v "mV")
(breakpoint
  (= i (* g (- v e))))
