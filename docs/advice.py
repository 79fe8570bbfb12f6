"""When to use what, for the page of each thing: the rows of ``choosing.md`` that name it."""

import re
from functools import cache
from pathlib import Path

CHOOSING = Path(__file__).with_name("choosing.md")

OTHERWISE = "Where the claim of its source is to be tested on your own table."
"""For what no row names."""


def when(page: str) -> str:
    """One line on when to use the thing of a page, such as ``laws/share.md``."""
    told = _situations().get(page)
    line = f"{told[:1].upper()}{told[1:]}." if told else OTHERWISE
    return f"**When.** {line} See [Which one](../choosing.md)."


@cache
def _situations() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in CHOOSING.read_text("utf-8").splitlines():
        if line.startswith("| "):
            situation, choice = (cell.strip() for cell in line.strip("| ").split(" | ", 1))
            for target in re.findall(r"\]\((\w+/\w+\.md)\)", choice):
                found.setdefault(target, situation)
    return found
