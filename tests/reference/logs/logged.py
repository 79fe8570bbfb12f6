"""What the loggers were given to log: known numbers, from a generator whose stream is promised."""

import random

RESUMED_AT = 150
"""Step at which the killed runs are taken up again."""


def rows(count: int, seed: int = 0) -> list[dict[str, float]]:
    """Metrics of each step: two of every step over many magnitudes, one of every fifth."""
    draw = random.Random(seed)
    found = []
    for step in range(count):
        row = {"loss": 2 + draw.random(), "grad_norm": 10 ** (draw.random() * 40 - 20)}
        if step % 5 == 0:
            row["eval/loss"] = 2 + draw.random()
        if step == 7:
            row |= {"loss": float("nan"), "grad_norm": float("inf")}
        found.append(row)
    return found


CONFIG = {"lr": 0.001, "layers": 4, "optimizer": "adam", "tied": True}
