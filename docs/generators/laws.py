"""A page for each law of the catalogue: formula, parameters, priors, claims, source."""

import sys
from collections.abc import Iterator

import theory.laws
from bayescale.models.model import Model
from docs.advice import when
from docs.markdown import code, page, sentence, table
from theory import folder
from theory.admissibility.admissible import conditions
from theory.declaration.abstract_law import AbstractLaw

TITLE, UNDER = "Laws", "Choose"

PIVOT = 1e9
"""Size of each resource at which the priors of a page are written out."""

LONGEST_FORMULA = 400
"""Characters of LaTeX; a longer formula is left to the paper and to ``bayescale laws --json``."""


def pages() -> dict[str, str]:
    """One page a law, and one that lists them by what they are laws of."""
    known = theory.laws.catalogue()
    return {"laws/index.md": _index(), **{f"laws/{n}.md": _page(law) for n, law in known.items()}}


def _index() -> str:
    told = [
        "A law is one declaration in `theory/laws/`; everything on its page follows from that. "
        "Which of them to use is told in [Which one](../choosing.md).",
    ]
    for kind in folder.modules(sys.modules["theory.laws"]):
        rows = [
            [f"[`{law.name}`]({law.name}.md)", law.title, _sizes(law), law.source]
            for law in vars(kind).values()
            if isinstance(law, AbstractLaw)
        ]
        told += [f"## {sentence(kind)}", table(["law", "what it is", "of", "source"], rows)]
    return page("Laws", *told)


def _page(law: AbstractLaw) -> str:
    latex, text = law.latex(), law.formula_text()
    short = len(latex) <= LONGEST_FORMULA
    return page(
        f"`{law.name}`: {law.title}",
        f"$$\n{latex}\n$$" if short else "",
        code(text if short else f"{text[:LONGEST_FORMULA]} ...", "text"),
        f"**Source.** {law.source.rstrip('.')}.",
        ""
        if law.verified
        else "!!! warning\n    The formula was seen neither in its paper nor in independent texts "
        "about it.",
        when(f"laws/{law.name}.md"),
        f"**What a table needs.** Columns for {_sizes(law)} and the loss.",
        code(f'post = bs.fit(runs, law="{law.name}", seed=0)'),
        code(f"bayescale fit runs.csv --law {law.name} -o fit.nc", "sh"),
        "## Parameters",
        table(
            ["name", "meaning", "role", "unit", "domain"],
            [[f"`{p.name}`", p.meaning, p.role, p.unit, p.domain] for p in law.parameters],
        ),
        "## What is sampled, and its default priors",
        _priors(law),
        "## What it claims",
        "\n".join(_claims(law)),
        _relations(law),
    )


def _sizes(law: AbstractLaw) -> str:
    return ", ".join(f"`{r.name}` ({r.meaning})" for r in law.resources)


def _priors(law: AbstractLaw) -> str:
    if not law.has_chart:
        return "It has no pivot coordinates, so priors have to be stated."
    model = Model.at(law, pivot={r.name: PIVOT for r in law.resources})
    rows = [[f"`{name}`", f"`{prior!r}`"] for name, prior in model.priors.table.items()]
    return (
        f"Pivot coordinates, here at {PIVOT:.0e} of each resource; a fit takes the geometric mean "
        "of the runs and their median loss. `prior={...}` replaces any of them, and any parameter "
        "above.\n\n" + table(["coordinate", "prior"], rows)
    )


def _claims(law: AbstractLaw) -> Iterator[str]:
    if not law.claims:
        yield "It claims none of the [conditions](../conditions.md)."
    titles = {code: one.title for code, one in conditions().items()}
    for claim in law.claims:
        yield f"- [{claim}](../conditions.md#{claim.lower()}): {titles[claim]}"
    yield f"\n`bayescale check {law.name}` proves, supports or refutes each of them."


def _relations(law: AbstractLaw) -> str:
    if not law.nests:
        return ""
    told = []
    for wider, at in law.nests.items():
        values = ", ".join(f"`{name} = {value}`" for name, value in at.items())
        told.append(f"- [`{wider}`]({wider}.md) at {values or 'the same values'}")
    return "\n".join(["**It is a special case of**", "", *told])
