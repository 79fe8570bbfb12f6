"""Which rooms a posterior is handed to while it is planned with.

`python tests/test_bayescale/planning/test_walk.py` prints the walk: the files, in the order in
which a function of theirs first takes the posterior.
"""

import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

import bayescale as bs
from bayescale.posteriors.posterior import Posterior

MOST = 8

POINT = {"E": [1.8], "A": [480.0], "B": [2085.0], "alpha": [0.35], "beta": [0.37]}


def walk(post: Posterior) -> list[str]:
    """Files of bayescale that the posterior is handed to, one entry a call."""
    root = str(Path(bs.__file__).parent)
    seen: list[str] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(root):
            return
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if any(frame.f_locals.get(name) is post for name in names):
            seen.append(str(Path(code.co_filename).relative_to(root)))

    bs.plan(post, compute=1e22)  # what is imported late is imported
    sys.setprofile(look)
    try:
        bs.plan(post, compute=1e22)
    finally:
        sys.setprofile(None)
    return seen


def test_a_plan_hands_its_posterior_through_few_rooms() -> None:
    files = walk(Posterior.from_draws("chinchilla", POINT))
    rooms = {file.split("/")[0] for file in files}
    assert {"planning", "posteriors"} <= rooms
    assert len(rooms) <= MOST


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    files = walk(Posterior.from_draws("chinchilla", POINT))
    order = list(dict.fromkeys(files))
    rooms = dict.fromkeys(file.split("/")[0] for file in files)
    print("\n".join(order))  # noqa: T201
    print(len(order), "files,", len(rooms), "rooms:", *rooms)  # noqa: T201
