"""Parameter sensitivities in a script of your own.

`graddiff.arbor` is for Arbor 0.12.2, `graddiff.neuron` for NEURON 9.0.2.

Both modules call the program `graddiff`, which differentiates mechanisms in NMODL, and put what it writes into the
model that the script builds. Nothing here computes a derivative.
"""

from .errors import GraddiffError, Missing, Rejected, Unsupported

__all__ = ["GraddiffError", "Missing", "Rejected", "Unsupported"]
__version__ = "0.1.0"
