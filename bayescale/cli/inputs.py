"""What the subcommands share: reading what was asked for, and printing posteriors."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayescale.atomic_write import require_writable
from bayescale.cli.output import json_out, say, show, untrusted, write
from bayescale.errors import UsageError

if TYPE_CHECKING:
    from bayescale.cost import AbstractCost, Shape
    from bayescale.posteriors.groups import GroupPosterior
    from bayescale.posteriors.posterior import Posterior
    from bayescale.runs.table import Runs


def load_posterior(path: Path, group: str | None = None) -> "Posterior":
    """Read a saved posterior; of groups, that of the joint model, or of the group named."""
    from bayescale.posteriors.posterior import Posterior

    if group is None:
        return Posterior.load(path)
    from bayescale.posteriors.groups import GroupPosterior

    return GroupPosterior.load(path).group(group)


def load_named(paths: Sequence[Path], group: str | None = None) -> "dict[str, Posterior]":
    """Read saved posteriors, each called after its law, or after its file where laws clash.

    Raises
    ------
    UsageError
        If a file is given twice.
    """
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise UsageError(f"'{twice[0]}' is given twice; name each file once.")
    posteriors = [load_posterior(path, group) for path in paths]
    names = [posterior.law.name for posterior in posteriors]
    for called in ([path.stem for path in paths], [str(path) for path in paths]):
        names = [
            other if names.count(name) > 1 else name
            for name, other in zip(names, called, strict=True)
        ]
    return dict(zip(names, posteriors, strict=True))


def read_table(
    table: str,
    columns: dict[str, str],
    part: str | None = None,
    *,
    units: dict[str, float] | None = None,
    dialect: dict[str, str] | None = None,
    guess: bool = True,
    max_rows: int | None = None,
) -> "Runs":
    """Read a file, standard input or a dataset, and say what was done to it.

    Parameters
    ----------
    table
        A file that `read_runs` reads, ``-`` for standard input, or a dataset's name.
    columns
        From our names to the table's.
    part
        Which table of a dataset that holds several.
    units, dialect, guess, max_rows
        As in `read_runs`.

    Raises
    ------
    UsageError
        If a part is asked of what is no dataset.
    """
    path = Path(table)
    options: dict[str, Any] = {"units": units, "dialect": dialect, "max_rows": max_rows}
    options = {name: value for name, value in options.items() if value or value == 0}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = _read(table, path, columns, part, guess, options)
    for one in caught:
        warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    warned = {str(one.message) for one in caught}
    for note in runs.notes:
        if note not in warned:
            say(f"note: {note}")
    return runs


def _read(
    table: str,
    path: Path,
    columns: dict[str, str],
    part: str | None,
    guess: bool,
    options: dict[str, Any],
) -> "Runs":
    from bayescale.runs.datasets import load
    from bayescale.runs.table import read_runs

    if table != "-" and not path.suffix and not path.exists():  # then it can only be a name
        runs = load(table, table=part, columns=columns or None, **options)
    elif part is not None:
        raise UsageError(
            f"--table chooses among the tables of a dataset, but '{table}' is a file; leave it out."
        )
    else:
        runs = read_runs(table, columns=columns or None, guess=guess, **options)
    return runs


def number(name: str, text: str, option: str = "at") -> float:
    """Value of ``--at NAME=VALUE``, or of another option of that form."""
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"--{option} {name} takes a number; got '{text}'.") from None


def pairs(given: list[str] | None, option: str, example: str) -> dict[str, str]:
    """Values by name, of an option ``NAME=VALUE`` that may be repeated."""
    found = {}
    for item in given or []:
        name, equals, value = item.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise UsageError(
                f"--{option} takes NAME=VALUE, such as --{option} {example}; got '{item}'."
            )
        found[name.strip()] = value.strip()
    return found


def require_picture(path: Path | None) -> None:
    """Refuse a picture that could not be written, before the work is done.

    Raises
    ------
    UsageError
        If the suffix is not that of a picture.
    OutputError
        If there is no such folder, or nothing may be written there.
    """
    if path is None:
        return
    from bayescale.plots.files import require_suffix

    require_suffix(path.suffix, path)
    require_writable(path)


def print_posterior(posterior: "Posterior", as_json: bool, force: bool) -> None:
    """Print parameters and diagnostics; refuse where the gate does and `force` is not given.

    Of groups: the population with its spreads, and the parameters of each group.
    """
    diagnosis, trusted = posterior.diagnosis, not posterior.diagnosis.refusals
    pooled = posterior.model is not None and posterior.model.pooling is not None
    if as_json:
        answer = _groups_dict(_grouped(posterior)) if pooled else posterior.to_dict()
        json_out({**answer, "trusted": trusted})
    else:
        untrusted(trusted)
        write(f"{posterior.law.name}: {posterior.law.formula_text()}")
        record = posterior.record
        write(
            f"{record['n_runs']} runs of {record['table']}, engine {record['engine']}, "
            f"seed {record['seed']}"
        )
        for sentence in record.get("provenance", ()):
            write(f"table: {sentence}")
        if pooled:
            _print_groups(_grouped(posterior))
        else:
            show(posterior.summary())
        write(f"diagnostics: {diagnosis}")
        if not pooled:
            for sentence in posterior.advice():
                write(sentence)
    if not force:
        diagnosis.require()


def _grouped(joint: "Posterior") -> "GroupPosterior":
    from bayescale.posteriors.groups import GroupPosterior

    return GroupPosterior(joint)


def _print_groups(posterior: "GroupPosterior") -> None:
    write(f"{len(posterior.groups)} groups by {posterior.pooling.column}; the population:")
    show(posterior.summary())
    write("each group:")
    show(posterior.summary(groups=True).drop(columns=["r_hat", "ess_bulk", "ess_tail"]))


def _groups_dict(posterior: "GroupPosterior") -> dict[str, Any]:
    record = posterior.joint.record
    return {
        "law": posterior.joint.law.name,
        "engine": record.get("engine"),
        "seed": posterior.joint.seed,
        "n_runs": record.get("n_runs"),
        "grouped_by": posterior.pooling.column,
        "population": posterior.summary().drop(columns="ess_tail").to_dict(orient="index"),
        "groups": {
            name: posterior.group(name).summary().drop(columns="ess_tail").to_dict(orient="index")
            for name in posterior.groups
        },
        "diagnostics": posterior.diagnose().to_dict(),
    }


def source_of(paths: list[Path], group: str | None) -> Any:
    """One posterior or saved stack, or the stack of several; of one group where it is named."""
    if len(paths) == 1 and group is None:
        from bayescale.posteriors.saved import load_saved

        return load_saved(paths[0])
    named = load_named(paths, group)
    if len(named) == 1:
        return next(iter(named.values()))
    from bayescale.validation.stacking import stack

    return stack(named)


def numbers(given: list[str] | None, option: str) -> dict[str, float] | None:
    """Numbers by name, of an option ``NAME=VALUE`` that may be repeated."""
    found = pairs(given, option, "N=7e9")
    return {name: number(name, text, option) for name, text in found.items()} or None


def cost_of(
    name: str, shapes: list[str] | None, active: float | None, total: float | None
) -> "AbstractCost":
    """The cost model that the options name, bound to shapes or to a mixture of experts.

    Raises
    ------
    UsageError
        If there is none of that name, or it does not depend on what is given.
    """
    from bayescale import cost

    found, allowed = cost.get(name), [shape_of(text) for text in shapes or ()]
    if allowed:
        if not isinstance(found, cost.ShapedCost):
            known = [n for n, one in cost.COSTS.items() if isinstance(one, cost.ShapedCost)]
            raise UsageError(
                f"cost '{found.name}' does not depend on shapes; pass --size to allow certain N "
                f"only, or one of the costs {', '.join(known)}."
            )
        return found.on(allowed)
    if active is not None or total is not None:
        if not isinstance(found, cost.ExpertsCost):
            raise UsageError(
                f"--active and --total go with cost 'moe', but the cost is '{found.name}'; pass "
                "--cost moe."
            )
        return found.on(active, total)
    return found


def shape_of(text: str) -> "Shape":
    """A transformer's shape from ``LAYERSxWIDTH``."""
    from bayescale.cost import Shape

    layers, cross, width = text.partition("x")
    if not (cross and layers.isdigit() and width.isdigit()):
        raise UsageError(f"--shape takes LAYERSxWIDTH, such as --shape 24x2048; got '{text}'.")
    return Shape(layers=int(layers), width=int(width))
