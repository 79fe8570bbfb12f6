"""One page on the conditions of admissibility: what each asks of a law, and who claims it."""

from importlib import import_module

import theory.admissibility.conditions as folder_of_conditions
import theory.laws
from docs.markdown import page, rest, sentence
from theory import folder

TITLE, UNDER = "Conditions of laws", "Theory"


def pages() -> dict[str, str]:
    """The one page."""
    known = theory.laws.catalogue()
    told = []
    modules = folder.modules(folder_of_conditions)
    for module in sorted(modules, key=lambda one: one.CONDITION.code):
        code = module.CONDITION.code
        claimed = [f"[`{n}`](laws/{n}.md)" for n, law in known.items() if code in law.claims]
        asked = sentence(module).removeprefix(f"{code}: ")
        told += [
            f"## {code}",
            f"**{module.CONDITION.title}.** {asked[:1].upper()}{asked[1:]}",
            rest(module),
            f"Claimed by {', '.join(claimed) or 'no law of the catalogue'}.",
        ]
    judging = import_module("theory.admissibility.verdict")
    intro = (
        "`bs.check(law)` and `bayescale check LAW` decide each condition of a law by its name or "
        "of your own formula. A verdict is PROVED by exact rules for all parameters in their "
        "domains, SUPPORTED by a search that found nothing, REFUTED by a witness at 50 digits, or "
        "UNKNOWN."
    )
    return {"conditions.md": page("Conditions of laws", intro, rest(judging), *told)}
