"""Tables of training runs: read, checked, named."""

import lazy_loader

# Or `bayescale.readers` would not be found before something else has imported it.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["readers"])
