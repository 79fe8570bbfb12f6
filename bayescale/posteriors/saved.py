"""Read a saved posterior without knowing whether it is of one law or a stack of several."""

import os
from pathlib import Path

from bayescale.posteriors.file import read_posterior
from bayescale.posteriors.posterior import Posterior, posterior_of
from bayescale.posteriors.stack import KIND, Stack, stack_of


def load_saved(path: str | os.PathLike) -> Posterior | Stack:
    """Read what `Posterior.save` or `Stack.save` wrote.

    Raises
    ------
    PosteriorFileError
        If the file is missing, damaged, of a newer version, or of a law that is not known.
    """
    source = Path(path)
    data, about = read_posterior(source)
    if about.get("kind") == KIND:
        return stack_of(data, about, source, {})
    return posterior_of(data, about, source, None)
