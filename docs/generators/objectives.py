"""A page for each objective of a plan."""

from typing import Any

from bayescale.planning.objectives import FOR_A_TARGET, OBJECTIVES
from docs.markdown import code, home, index, page, shown

TITLE, UNDER = "Objectives", "Choose"


def pages() -> dict[str, str]:
    """One page an objective, and their list."""
    told = (
        "An objective is what the recommended allocation minimises at a given budget, over the "
        "draws of the posterior. It is chosen by `objective=` (`--objective`). The loss is flat in "
        "model size near its optimum, so objectives differ little in N and more in what they say "
        f"of the risk. To reach a target, {' or '.join(f'`{one}`' for one in FOR_A_TARGET)} is "
        "minimised instead."
    )
    entries = {name: [kind().meaning] for name, kind in OBJECTIVES.items()}
    listed = index("Objectives", told, ["name", "what is minimised"], entries)
    return {
        "objectives/index.md": listed,
        **{f"objectives/{name}.md": _page(kind) for name, kind in OBJECTIVES.items()},
    }


def _page(kind: Any) -> str:
    call = kind().name
    return page(
        f"`{call.partition('(')[0]}`",
        code(f'plan = bs.plan(post, compute=1e24, objective="{call}")'),
        code(f'bayescale plan fit.nc --compute 1e24 --objective "{call}"', "sh"),
        shown(home(kind), members=["risk"], show_bases=False, show_root_heading=False),
    )
