"""What the numbers of a column count in: said by its header (``Params (M)``) or by letters (70B).

A letter or a word stands for a power of ten; nothing is inferred from the numbers themselves, but
a header that would make every run absurdly large is called unclear.
"""

import math
import re

from bayescale.runs.vocabulary import RESOURCES, fits

LETTERS = {
    3: ("k", "thousand", "thousands"),
    6: ("m", "mn", "mil", "million", "millions"),
    9: ("b", "bn", "g", "billion", "billions"),
    12: ("t", "trillion", "trillions"),
}
"""Powers of ten by the letters and words that follow a number; capitals do not matter."""

_FLOP = {15: ("p", "peta"), 18: ("e", "exa"), 21: ("z", "zetta"), 24: ("y", "yotta")}
_FLOP_TOO = {3: "kilo", 6: "mega", 9: "giga", 12: "tera"}
_LONGEST = 100  # letters of a header; what is longer is a sentence
_PETAFLOP_DAY = 8.64e19
_SMALLEST_ABSURD = {"N": 1e12, "D": 1e14, "C": 1e28}

_OF = {word: 10.0**power for power, words in LETTERS.items() for word in words}
_OF_FLOP = {
    **_OF,
    **{word: 10.0**power for power, words in _FLOP.items() for word in words},
    **{word: 10.0**power for power, word in _FLOP_TOO.items()},
}
_COUNTED = r"(?:params?|parameters?|tokens?|examples|flops?)"
_WORDS = "thousands?|millions?|billions?|trillions?"
_IN_BRACKETS = re.compile(r"(.*?)[\s_]*[(\[{]([^()\[\]{}]*)[)\]}]\s*")
_AFTER = re.compile(rf"(.+?)[\s_\-./]+(?:in[\s_\-]+)?({_WORDS}|bn|mn)", re.IGNORECASE)
_BEFORE = re.compile(rf"(?:in[\s_\-]+)?({_WORDS})[\s_\-]+(?:of[\s_\-]+)?(.+)", re.IGNORECASE)
_LETTER = re.compile(r"(.*?)(?:[\s_\-,]+([KMBGTkmbgt])|(?<=[a-z])([KMBGT]))")
_SI_FLOP = re.compile(
    r"(.*?(?:^|[\W_]|[a-z](?=[A-Z])))((?i:kilo|mega|giga|tera|peta|exa|zetta|yotta|[kmgtpezy]))"
    r"((?i:[\s_\-]?flops?\b.*))"
)
_PF_DAYS = re.compile(r".*\bp(eta)?f(lop)?s?[\W_]*(s[\W_]*)?days?\b.*", re.IGNORECASE)
_POWER = re.compile(r"[x×*\s]*(?:1[eE]\+?(\d{1,2})|10(?:\^|\*\*)(\d{1,2})|(10{2,24}))")
_BITS = re.compile(r"(.*?)[\s_\-]*[(\[]?\bbits\b.*", re.IGNORECASE)


def declared(label: str, name: str) -> tuple[str, float | None]:
    """Return a header without its unit, and what its numbers count in, where the header says so.

    Parameters
    ----------
    label
        The header of a column.
    name
        What the column is: N, D, C or loss.

    Examples
    --------
    >>> declared("Params (M)", "N"), declared("FLOPs (1e18)", "C"), declared("tokens", "D")
    (('Params', 1000000.0), ('FLOPs', 1e+18), ('tokens', None))
    """
    label = label.strip()
    if len(label) > _LONGEST:
        return label, None
    if name == "loss":
        bits = _BITS.fullmatch(label.replace("_", " "))
        return (bits[1], math.log(2)) if bits and bits[1] else (label, None)
    if name not in RESOURCES:
        return label, None
    known = _OF_FLOP if name == "C" else _OF
    if name == "C" and _PF_DAYS.fullmatch(label.replace("_", " ")):
        return "compute", _PETAFLOP_DAY
    if found := _IN_BRACKETS.fullmatch(label):
        inside = re.sub(rf"(?i)^\s*in\s+|[\s\-]*(?:of\s+)?{_COUNTED}\s*$", "", found[2]).strip()
        power = _POWER.fullmatch(inside)
        if power:
            zeros = power[1] or power[2] or str(len(power[3]) - 1)
            return found[1], float(f"1e{zeros}")
        if inside.lower() in known:
            return found[1], known[inside.lower()]
        if not inside:
            label = found[1]
    if found := _AFTER.fullmatch(label):
        return found[1], known[found[2].lower()]
    if found := _BEFORE.fullmatch(label):
        return found[2], known[found[1].lower()]
    if name == "C" and (found := _SI_FLOP.fullmatch(label)):
        return found[1] + found[3], known[found[2].lower()]
    found = _LETTER.fullmatch(label)
    if found and fits(name, found[1]) and (len(found[1]) > 1 or (found[2] or "K").isupper()):
        return found[1], known[(found[2] or found[3]).lower()]
    return label, None


def absurd(name: str, least: float) -> bool:
    """Whether a column of runs whose least value is this can only be in another unit."""
    return least > _SMALLEST_ABSURD.get(name, math.inf)
