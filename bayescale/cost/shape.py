"""The shape of a transformer: what the cost of a token and the count of parameters depend on."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from bayescale.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A decoder-only transformer.

    Parameters
    ----------
    layers
        Number of layers.
    width
        Size of the residual stream, d_model.
    ffw
        Size of the feed-forward layer; 4 times the width by default.
    heads, key_size
        Heads of attention, and the size of each key; by default ``heads * key_size = width``
        with keys of 128 (of the whole width where that is smaller or no multiple).
    vocabulary
        Number of different tokens.
    context
        Tokens in a sequence.

    Raises
    ------
    UsageError
        If a size is not a positive whole number.

    Examples
    --------
    >>> Shape(layers=12, width=768, key_size=64).heads
    12
    """

    layers: int
    width: int
    ffw: int = 0
    heads: int = 0
    key_size: int = 0
    vocabulary: int = 32_000
    context: int = 2048

    def __post_init__(self) -> None:
        fill = {"ffw": 4 * self.width}
        fill["key_size"] = 128 if self.width % 128 == 0 else self.width
        fill["heads"] = max(self.width // (self.key_size or fill["key_size"] or 1), 1)
        for name, default in fill.items():
            if getattr(self, name) == 0:
                object.__setattr__(self, name, default)
        for field in fields(self):
            if getattr(self, field.name) < 1:
                raise UsageError(
                    f"{field.name} of a shape is a positive whole number; got "
                    f"{getattr(self, field.name)}."
                )

    @property
    def attention(self) -> int:
        """Size of all keys together, ``heads * key_size``."""
        return self.heads * self.key_size

    @property
    def linear(self) -> int:
        """Parameters of the layers' matrices: ``layers (4 width attention + 2 width ffw)``.

        Embeddings, head, biases and norms are not counted (Kaplan et al. 2020, table 1).
        """
        return self.layers * (4 * self.width * self.attention + 2 * self.width * self.ffw)

    @property
    def embedding(self) -> int:
        """Parameters of one embedding matrix, or of the head: ``vocabulary width``."""
        return self.vocabulary * self.width


def ladder(
    layers: Iterable[int],
    *,
    aspect: int = 128,
    key_size: int = 64,
    vocabulary: int = 32_000,
    context: int = 2048,
) -> tuple[Shape, ...]:
    """Shapes of one aspect ratio, ``width = aspect * layers``, rounded to whole heads.

    Parameters
    ----------
    layers
        Numbers of layers.
    aspect
        Width for each layer; Kaplan et al. 2020 find losses flat from about 30 to 300.
    key_size, vocabulary, context
        As in `Shape`.

    Examples
    --------
    >>> [shape.width for shape in ladder([4, 8])]
    [512, 1024]
    """
    return tuple(
        Shape(
            layers=n,
            width=key_size * max(round(aspect * n / key_size), 1),
            key_size=key_size,
            vocabulary=vocabulary,
            context=context,
        )
        for n in layers
    )
