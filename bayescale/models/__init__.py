"""A model: a law, the priors of its coordinates, and how log loss scatters around it."""

import lazy_loader

# Or `bayescale.likelihoods` would not be found before something else has imported it.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["likelihoods"])
