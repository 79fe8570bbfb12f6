"""Which module may import which: only those of a layer below its own, also inside functions."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# From the bottom up. A name also stands for the modules below it that have no entry of their own,
# and those may import each other.
LAYERS = {
    "theory": (
        "errors symbols timebox verdict precision degrees mode_quadrature mode_sums",
        "logdomain links rules geometry spectrum",
        "terms cdf dmft",
        "chart",
        "law",
        "contour crossover forward optimum sampling simulate limits",
        "laws scaling feature_learning",
        "evidence random_features rich_frontier",
        "admissible",
    ),
    "bayescale": (
        "errors support special observations tensor _atomic _version",
        "family cost objective diagnose _cells expression",
        "_line",
        "_limits",
        "prior _reading _check _terminal",
        "drift _columns",
        "runs",
        "likelihood pooling data",
        "model published geometry",
        "raw engines.engine engines.density",
        "_pointwise _prediction _file",
        "outliers _loo _trends _sensitivity",
        "_outlier_table",
        "posterior _predictive",
        "_forecast checks engines",
        "_hold_out engines.mode engines.batch engines.attempts",
        "engines.laplace engines.numpyro engines.pymc",
        "_fit _centring",
        "_groups _chunk",
        "_poolings _many",
        "_future",
        "_compare",
        "_stack",
        "_search",
        "_mixture",
        "_allocate",
        "_waste",
        "_valley",
        "_target _present",
        "_recommendation",
        "_plan",
        "_candidates _local",
        "_gain",
        "_worth",
        "_design",
        "_calibrate sbc",
        "_collapse _regime",
        "plots",
        "_demo _commands _simulate",
        "_plan_command _simulate_command",
        "_design_command _regime_command",
        "cli",
    ),
}
NOT_IN_THEORY = {"bayescale", "numpyro", "pymc", "pandas", "arviz", "xarray"}

MODULES = {
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__"): path
    for package in LAYERS
    for path in sorted((REPOSITORY / package).rglob("*.py"))
}


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from (name if name in MODULES else str(node.module) for name in names)


def entry(module: str) -> tuple[int, str]:
    """Layer and entry of a module; the longest entry that contains it."""
    package, _, name = module.partition(".")
    entries = {e: i for i, row in enumerate(LAYERS[package]) for e in row.split()}
    found = [e for e in entries if f"{name}.".startswith(f"{e}.")]
    assert found, f"{module} stands in no layer; add it to LAYERS in {Path(__file__).name}"
    return entries[max(found, key=len)], max(found, key=len)


def wrong_imports(module: str, source: str) -> list[str]:
    package = module.partition(".")[0]
    rank, own = entry(module)
    wrong = []
    for name in imported(source):
        root = name.partition(".")[0]
        if package == "theory" and root in NOT_IN_THEORY:
            wrong.append(f"{module} imports {name}, but theory is mathematics only")
        elif root == package:
            other_rank, other = entry(name)
            if other_rank >= rank and not (own == other and module != name):
                wrong.append(f"{module} imports {name}, which is not in a layer below")
    return wrong


@pytest.mark.parametrize("module", [name for name in MODULES if "." in name])
def test_a_module_imports_only_from_layers_below(module):
    assert wrong_imports(module, MODULES[module].read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("theory.law", "import bayescale"),
        ("theory.law", "from bayescale.runs import Runs"),
        ("theory.law", "def f():\n    import pandas as pd"),
        ("theory.law", "from theory import laws"),
        ("theory.symbols", "from theory.errors import LawError"),
        ("bayescale.errors", "import bayescale.cli"),
        ("bayescale.prior", "from bayescale import model"),
        ("bayescale.prior", "from bayescale.prior import Prior"),
        ("bayescale.posterior", "from bayescale.plots._fit import plot_fit"),
        ("bayescale.engines.engine", "def f():\n    from bayescale.engines import numpyro"),
    ],
)
def test_an_import_from_above_or_beside_is_caught(module, source):
    assert len(wrong_imports(module, source)) == 1


def test_datasets_hold_no_package():
    assert list((REPOSITORY / "datasets").rglob("__init__.py")) == []
