"""bayescale: from scaling-law theory to priors, from training runs to calibrated decisions.

The public names are in `__init__.pyi`; each is imported when it is first used, because JAX,
SymPy, NumPyro and ArviZ cost seconds to import.
"""

import lazy_loader

import bayescale.forked  # noqa: F401  # it watches for forks from now on

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
