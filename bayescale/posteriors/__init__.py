"""What inference gives: posteriors of one law, of groups, of several laws, and checks of them."""

import lazy_loader

# Or `bayescale.checks` would not be found before something else has imported it.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["checks"])
