"""A page for each cost model: its formula, its source, what it gives for one model."""

from importlib import import_module

from bayescale import cost
from docs.markdown import code, home, index, page, rest, sentence, shown, table
from theory.declaration.symbols import D

TITLE, UNDER = "Costs", "Choose"

SHAPE = cost.Shape(layers=24, width=2048)
"""A transformer for which each cost that depends on a shape is written out."""


def pages() -> dict[str, str]:
    """One page a cost model, and their list."""
    told = (
        "A cost says what a run costs in FLOP. It is chosen by `cost=` (`--cost`) where a plan or "
        "a design is made; `6ND` is the default. Papers count N and C differently, and a cost is "
        "one paper's count: pick that of the table's own N and C."
    )
    entries = {name: [_formula(name), one.source] for name, one in cost.COSTS.items()}
    listed = index("Costs", told, ["name", "formula", "source"], entries)
    return {
        "costs/index.md": listed,
        **{f"costs/{name}.md": _page(name, one) for name, one in cost.COSTS.items()},
    }


def _formula(name: str) -> str:
    return sentence(import_module(f"bayescale.cost.costs.{name}"))


def _page(name: str, one: cost.AbstractCost) -> str:
    binding, options = _bound(one)
    module = import_module(f"bayescale.cost.costs.{name}")
    return page(
        f"`{name}`",
        _formula(name).replace("``", "`"),
        rest(module).replace("``", "`"),
        f"**Source.** {one.source}.",
        _values(one),
        _further(one),
        code(f'plan = bs.plan(post, compute=1e24, cost=bs.cost.get("{name}"){binding})'),
        code(f"bayescale plan fit.nc --compute 1e24 --cost {name}{options}", "sh"),
        shown(home(type(one)), members=False, show_bases=False, heading_level=2),
    )


def _bound(one: cost.AbstractCost) -> tuple[str, str]:
    """What binds a cost to models, in Python and on the command line; empty where nothing does."""
    if isinstance(one, cost.ShapedCost):
        shape = f"bs.cost.Shape(layers={SHAPE.layers}, width={SHAPE.width})"
        return f".on([{shape}])", f" --shape {SHAPE.layers}x{SHAPE.width}"
    if isinstance(one, cost.ExpertsCost):
        return ".on(active=37e9, total=671e9)", " --active 37e9 --total 671e9"
    if _leaves_data(one):
        return ', at={"D": 1e12}', " --at D=1e12"
    return "", ""


def _leaves_data(one: cost.AbstractCost) -> bool:
    return D not in one.resources


def _further(one: cost.AbstractCost) -> str:
    if not _leaves_data(one):
        return ""
    names = ", ".join(resource.name for resource in one.resources)
    return (
        f"The law is one in {names} and whatever else is at hand, such as `dmft_terms`; what the "
        "budget is not spent on is stated by `at=` (`--at`)."
    )


def _values(one: cost.AbstractCost) -> str:
    if isinstance(one, cost.ShapedCost):
        size, token = one.size(SHAPE), one.token(SHAPE)
        rows = [[f"{SHAPE.layers} layers of width {SHAPE.width}", f"{size:.4g}", f"{token:.4g}"]]
        return table(["model", "N as it is counted", "training FLOP a token"], rows)
    return ""
