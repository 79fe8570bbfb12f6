"""A page for each noise model: what it says, its options, its priors."""

from dataclasses import fields

from bayescale.models import likelihoods
from docs.advice import when
from docs.markdown import code, home, index, page, sentence, shown, table

TITLE, UNDER = "Likelihoods", "Choose"


def pages() -> dict[str, str]:
    """One page a likelihood, and their list."""
    known = likelihoods.LIKELIHOODS
    told = (
        "A likelihood says how the log loss of a run scatters around the law. It is chosen by "
        "`likelihood=` (`--likelihood`), with options in brackets. When to use which is told in "
        "[Which one](../choosing.md)."
    )
    entries = {name: [sentence(kind)] for name, kind in known.items()}
    listed = index("Likelihoods", told, ["name", "what it is for"], entries)
    return {
        "likelihoods/index.md": listed,
        **{f"likelihoods/{name}.md": _page(name, kind) for name, kind in known.items()},
    }


def _page(name: str, kind: type[likelihoods.AbstractLikelihood]) -> str:
    options = {field.name: field.default for field in fields(kind)}
    given = ", ".join(f"{n}={v}" for n, v in options.items() if isinstance(v, str | float))
    call = f"{name}({given})" if given else name
    priors = []
    try:
        priors = [[f"`{n}`", f"`{prior!r}`"] for n, prior in kind().priors().items()]
    except TypeError:  # an option that has to be given
        pass
    return page(
        f"`{name}`",
        when(f"likelihoods/{name}.md"),
        code(f'post = bs.fit(runs, likelihood="{call}", seed=0)'),
        code(f'bayescale fit runs.csv --likelihood "{call}" -o fit.nc', "sh"),
        shown(home(kind), members=False, show_root_heading=False, show_bases=False),
        "## Default priors" if priors else "",
        table(["parameter", "prior"], priors),
    )
