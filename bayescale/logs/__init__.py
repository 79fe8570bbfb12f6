"""From what training runs logged to a table of runs: formats, and a reduction that is named."""

import lazy_loader

# Or `bayescale.formats` would not be found before something else has imported it.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["formats"])
