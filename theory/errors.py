"""The errors the mathematics raises; each message is one sentence that names cause and cure."""


class TheoryError(ValueError):
    """Any error raised on purpose by `theory`."""


class LawError(TheoryError):
    """A law is declared in a way that cannot be compiled or charted."""


class UnknownLaw(TheoryError):
    """No law of that name is in the catalogue."""
