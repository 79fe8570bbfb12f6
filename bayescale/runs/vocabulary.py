"""The words by which the columns of a table of runs are known, and which column fits which name."""

import difflib
import re
from collections.abc import Iterable, Sequence

RESOURCES = ("N", "D", "C")
NUMERIC = (*RESOURCES, "loss")
CANONICAL = (*NUMERIC, "run")

_LONGEST = 48  # letters; what is longer is a sentence, not a name
_SYMBOLS = {"N": "n(?:total|active|non?emb(?:ed(?:dings?)?)?)?", "D": "d", "C": "c"}
_NOUNS = {
    "N": ("params", "param", "parameters", "parameter", "modelsize"),
    "D": ("tokens", "examples", "datasetsize", "trainingdata"),
    "C": ("flops", "flop", "compute"),
    "loss": ("loss", "crossentropy", "nll"),
    "run": ("run",),
}
_QUALIFIERS = {
    "N": "n num number of count total model trainable active no non emb embed embedding embeddings "
    "in out incl including excl excluding with without",
    "D": "n num number of count total train training trained seen consumed processed cumulative",
    "C": "n num number of count total train training cumulative estimated",
    "loss": "train training val valid validation eval evaluation test dev heldout final last end "
    "best min mean avg average smoothed lm ce metrics nats nat per token",
    "run": "wandb training id name key uuid index number",
}


def _pattern(name: str) -> re.Pattern[str]:
    around = f"(?:{_QUALIFIERS[name].replace(' ', '|')})*"
    words = f"{around}(?:{'|'.join(_NOUNS[name])}){around}"
    return re.compile(f"{_SYMBOLS[name]}|{words}" if name in _SYMBOLS else words)


_PATTERNS = {name: _pattern(name) for name in CANONICAL}


def fits(name: str, column: str) -> bool:
    """Whether a column is surely called after N, D, C, loss or run.

    It is where its letters are one of the nouns of the name and otherwise words that say which of
    its kind it is: train, validation, total, number of.

    Examples
    --------
    >>> fits("N", "Model Size"), fits("loss", "eval/loss"), fits("D", "tokens per second")
    (True, True, False)
    """
    plain = _plain(column)
    return len(plain) <= _LONGEST and _PATTERNS[name].fullmatch(plain) is not None


def resembling(name: str, columns: Iterable[str]) -> list[str]:
    """Return the columns that might be meant by a name: a hint for messages, never taken."""
    nouns = _NOUNS.get(name, (name.lower(),))
    long = [noun for noun in nouns if len(noun) > 3]
    return [
        column
        for column in columns
        if column not in CANONICAL
        and (
            (name in _NOUNS and fits(name, column))
            or any(noun in _plain(column) for noun in long)
            or difflib.get_close_matches(_plain(column), long, 1, 0.8)
        )
    ]


def listed(names: Sequence[str]) -> str:
    """Return the first twenty of some names, in quotes, for a message."""
    more = f", ... ({len(names)} in all)" if len(names) > 20 else ""
    return ", ".join(f"'{shown(name)}'" for name in names[:20]) + more


def shown(text: str) -> str:
    """Return a text from a table as a message may hold it: control characters written out."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def mapping(pairs: dict[str, str]) -> str:
    """Return how columns are mapped, in Python and on the command line, for a message."""
    columns = ", ".join(f'"{ours}": {_quoted(theirs)}' for ours, theirs in pairs.items())
    options = " ".join(f"--column {ours}={_shell(theirs)}" for ours, theirs in pairs.items())
    return f"columns={{{columns}}} (command line: {options})"


def counting(units: dict[str, float]) -> str:
    """Return how units are stated, in Python and on the command line, for a message."""
    stated = ", ".join(f'"{name}": {figure(factor)}' for name, factor in units.items())
    options = " ".join(f"--unit {name}={figure(factor)}" for name, factor in units.items())
    return f"units={{{stated}}} (command line: {options})"


def figure(number: float) -> str:
    """Return a number to its last digit, as briefly as may be: 1e6, 0.5."""
    short = f"{number:g}"
    exact = short if float(short) == number else repr(float(number))
    return exact.replace("e+0", "e").replace("e+", "e")


def _quoted(text: str) -> str:
    return f'"{text}"' if text.isprintable() and not {*text} & {'"', "\\"} else repr(text)


def _shell(text: str) -> str:
    if text.isprintable() and not {*text} & {*'"$`\\!'}:
        return f'"{text}"'
    quoted = shown(text).replace("'", "'\"'\"'")
    return f"'{quoted}'"


def _plain(column: str) -> str:
    return "".join(letter for letter in column.lower() if letter.isalnum())
