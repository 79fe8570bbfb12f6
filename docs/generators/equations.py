"""One page that maps what papers say to where it stands: laws, costs, regimes, docstrings."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import theory.laws
from bayescale.cost import COSTS
from docs.markdown import page, table
from theory.learning.regimes import REGIMES

TITLE, UNDER = "Equations of papers", "Theory"

REPOSITORY = Path(__file__).parents[2]

EQUATION = re.compile(r"\beqs?\.\s*\(?[A-Z]?\d")
"""How a docstring names an equation."""


def pages() -> dict[str, str]:
    """The one page."""
    laws = [
        [law.source, f"[`{name}`](laws/{name}.md)"] for name, law in theory.laws.catalogue().items()
    ]
    costs = [[one.source, f"[`{name}`](costs/{name}.md)"] for name, one in COSTS.items()]
    regimes = [
        [
            f"`{one.name}`",
            one.quantity,
            f"`{_power(one.exponents)}`",
            f"`{one.condition}`",
            one.source,
        ]
        for one in REGIMES
    ]
    errata = [
        [f"`{one.name}`", one.source, f"`{_power(one.published)}`", f"`{_power(one.exponents)}`"]
        for one in REGIMES
        if one.published
    ]
    return {
        "equations.md": page(
            "Equations of papers, and where they live",
            "References are in `bayescale/references.bib`.",
            "## Laws",
            table(["source", "law"], sorted(laws)),
            "## Costs",
            table(["source", "cost"], sorted(costs)),
            "## Regimes",
            "The asymptotic regimes of `theory.regimes`: `quantity ~ amplitude times the power`, "
            "where the condition on the exponents a and b of the task holds. The local slopes of "
            "the solved dynamics agree with each of them to 1e-3.",
            table(["name", "quantity", "power", "condition", "source"], regimes),
            "## Where a source prints another exponent",
            table(["regime", "source", "as printed", "exact"], errata),
            "## Functions whose docstring names an equation",
            table(["where", "what it says"], sorted(_named())),
        )
    }


def _power(exponents: Mapping) -> str:
    return " ".join(f"{one}^-({value})" for one, value in exponents.items()) or "constant"


def _named() -> Iterator[list[str]]:
    """Dotted path and the line that names an equation, of every docstring of the two packages."""
    for package in ("theory", "bayescale"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    continue
                name = module.removesuffix(".__init__")
                name += "" if isinstance(node, ast.Module) else f".{node.name}"
                for sentence in re.split(
                    r"(?<=[\w)`][.;])\s+(?=[A-Z`(])|\n\n", ast.get_docstring(node) or ""
                ):
                    if EQUATION.search(sentence):
                        yield [f"`{name}`", sentence]
