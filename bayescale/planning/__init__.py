"""From a posterior to a plan: the optimum of every draw, one recommendation, its risk."""

import lazy_loader

# Or `bayescale.objectives` would not be found before something else has imported it.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["objectives"])
