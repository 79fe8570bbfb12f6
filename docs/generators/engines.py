"""A page for each inference engine."""

from importlib import import_module

from bayescale.engines import ENGINES
from docs.advice import when
from docs.markdown import code, home, index, page, rest, sentence, shown

TITLE, UNDER = "Engines", "Choose"


def pages() -> dict[str, str]:
    """One page an engine, and their list."""
    told = (
        "An engine draws from the posterior; all of them sample the same declaration. It is chosen "
        "by `engine=` (`--engine`). When to use which is told in [Which one](../choosing.md); many "
        "tables at once are fitted by [`bs.fit_many`](../api/fitting.md)."
    )
    entries = {name: [kind.meaning] for name, kind in ENGINES.items()}
    listed = index("Engines", told, ["name", "what it does"], entries)
    return {
        "engines/index.md": listed,
        **{f"engines/{name}.md": _page(name, kind) for name, kind in ENGINES.items()},
    }


def _page(name: str, kind: type) -> str:
    module = import_module(kind.__module__)
    return page(
        f"`{name}`",
        sentence(module),
        rest(module),
        when(f"engines/{name}.md"),
        code(f'post = bs.fit(runs, engine="{name}", seed=0)'),
        code(f"bayescale fit runs.csv --engine {name} -o fit.nc", "sh"),
        shown(home(kind), members=False, show_bases=False, heading_level=2),
    )
