"""Which column of a table is N, D, C, loss or run, and what its numbers count in."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bayescale.errors import RunsError, UsageError
from bayescale.runs.reader import check_names
from bayescale.runs.units import declared
from bayescale.runs.vocabulary import (
    CANONICAL,
    NUMERIC,
    RESOURCES,
    counting,
    figure,
    fits,
    listed,
    mapping,
    resembling,
    shown,
)


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Parameters
    ----------
    names
        Our name of each column, in the order of the table; the table's own where we have none.
    factors
        What the numbers of N, D, C or the loss count in, where that is not one.
    taken
        From our names to the columns that were taken by the look of their own names.
    from_header
        Of `factors` the names for which the header says so.
    notices, notes
        Sentences: what was taken and may be wrong; what else was done.
    """

    names: list[str]
    factors: dict[str, float]
    taken: dict[str, str]
    from_header: frozenset[str]
    notices: tuple[str, ...]
    notes: tuple[str, ...]


def roles(
    found: Sequence[str],
    columns: Mapping[str, str],
    units: Mapping[str, float],
    where: str,
    *,
    guess: bool,
) -> Roles:
    """Say what the columns of a table are: as mapped, as they are called, or as their names look.

    A column that is called N, D, C, loss or run is that one. Where none is, and with `guess`, the
    one column whose name fits is taken, with a notice; where several fit, one must be chosen.

    Raises
    ------
    RunsError
        The loss or every resource is absent, or one of several columns must be chosen.
    UsageError
        The mapping or a unit is impossible.
    """
    _check_mapping(found, columns, where)
    taken, notes = _taken(found, columns, where) if guess else ({}, [])
    ours_of = {theirs: ours for ours, theirs in {**columns, **taken}.items()}
    names: list[str] = []
    for theirs in found:
        name = ours_of.get(theirs, theirs)
        if theirs not in ours_of and name in columns:  # the user chose another column for it
            name = f"{theirs}_in_file"
            notes.append(f"{where}: its own column '{shown(theirs)}' is kept as '{name}'.")
        names.append(name)
    check_names(names, where)
    _require(names, found, where)
    label_of = dict(zip(names, found, strict=True))
    factors, from_header = _factors(label_of, units, where, guess=guess)
    return Roles(
        names,
        factors,
        taken,
        from_header,
        _notices(
            {name: label_of[name] for name in CANONICAL if name in {*taken, *from_header}},
            {name: factors[name] for name in NUMERIC if name in from_header},
            where,
        ),
        tuple(notes),
    )


def _check_mapping(found: Sequence[str], columns: Mapping[str, str], where: str) -> None:
    for ours, theirs in columns.items():
        if theirs not in found:
            swapped = ours in found and theirs in CANONICAL
            near = [ours] if swapped else difflib.get_close_matches(theirs, found, 3, 0.6)
            hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
            if swapped:
                hint = f' Write columns={{"{theirs}": "{ours}"}}: our name first.'
            raise RunsError(
                f"{where}: no column {theirs!r} to use as {ours}.{hint} Columns found: "
                f"{listed(found)}."
            )
    twice = {theirs for theirs in columns.values() if list(columns.values()).count(theirs) > 1}
    if twice:
        raise UsageError(f"columns uses {listed(sorted(twice))} for more than one name.")


def _taken(
    found: Sequence[str], columns: Mapping[str, str], where: str
) -> tuple[dict[str, str], list[str]]:
    taken: dict[str, str] = {}
    notes: list[str] = []
    free = [label for label in found if label not in {*columns.values(), *CANONICAL}]
    for name in ("N", "D", "C", "loss", "run"):
        if name in found or name in columns:
            continue
        fitting = [label for label in free if fits(name, declared(label, name)[0])]
        if len(fitting) == 1:
            taken[name] = fitting[0]
        elif fitting and name == "C" and all({*found, *columns, *taken} & {n} for n in "ND"):
            notes.append(
                f"{where}: {_both(fitting)} could be C, so none is taken; take one with "
                f"{mapping({name: fitting[0]})}."
            )
        elif fitting:
            raise RunsError(_choose(name, fitting, where))
    return taken, notes


def _choose(name: str, fitting: list[str], where: str) -> str:
    held_out = [label for label in fitting if "train" not in label.lower()]
    none = "" if name == "loss" else ", or take none with guess=False (command line: --no-guess)"
    return (
        f"{where}: {_both(fitting)} could be {'the loss' if name == 'loss' else name}; choose one "
        f"with {mapping({name: (held_out or fitting)[0]})}{none}."
    )


def _both(fitting: list[str]) -> str:
    quoted = [f"'{shown(label)}'" for label in fitting[:5]]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}" + (" both" if len(quoted) == 2 else " all")


def _require(names: list[str], found: Sequence[str], where: str) -> None:
    if "loss" not in names:
        raise RunsError(absent("loss", found, where))
    if not any(resource in names for resource in RESOURCES) and not _others(names):
        raise RunsError(
            f"{where}: no column N, D or C, and a law needs at least one. Columns found: "
            f"{listed(found)}.{_hints(RESOURCES, found)}"
        )


def _others(names: Sequence[str]) -> bool:
    """Whether a name is that of a resource which few tables have, such as S or N_v."""
    from theory.declaration.symbols import RESOURCES as KNOWN  # SymPy is slow to import

    return any(name in KNOWN for name in names)


def _factors(
    label_of: Mapping[str, str], units: Mapping[str, float], where: str, *, guess: bool
) -> tuple[dict[str, float], frozenset[str]]:
    for name, factor in units.items():
        if name not in NUMERIC or name not in label_of:
            has = ", ".join(known for known in NUMERIC if known in label_of)
            raise UsageError(
                f"units says what '{shown(name)}' counts in, but this table has {has} to count."
            )
        if not 0 < factor < float("inf"):
            raise UsageError(f"the unit of {name} is {factor}; it must be a positive number.")
    factors = {name: float(factor) for name, factor in units.items()}
    header = set()
    for name in NUMERIC:
        label = label_of.get(name, name)
        if label == name or name in units:
            continue
        _, factor = declared(label, name)
        if factor is None:
            continue
        if not guess:
            raise RunsError(
                f"{where}: the header '{shown(label)}' says that {name} counts in "
                f"{figure(factor)}; with guess=False (--no-guess) state it with "
                f"{counting({name: factor})}, or 1 in its place."
            )
        factors[name] = factor
        header.add(name)
    return factors, frozenset(header)


def _notices(taken: dict[str, str], factors: dict[str, float], where: str) -> tuple[str, ...]:
    if not taken:
        return ()
    times = {name: f" times {figure(factor)}" for name, factor in factors.items()}
    parts = [f"{name} is '{shown(label)}'{times.get(name, '')}" for name, label in taken.items()]
    stated = f", {counting(factors)}" if factors else ""
    return (
        f"{where}: {', '.join(parts)}, by the names of the columns; to say so yourself, pass "
        f"{mapping(taken)}{stated}.",
    )


def absent(name: str, columns: Iterable[str], where: str) -> str:
    """Return the sentence that says a column is absent, which may be meant, and how to map it."""
    columns = list(columns)
    why = ""
    if name == "D":
        why = " and it cannot be computed as C / (6 N)"
    elif name == "C":
        why = " and it cannot be computed as 6 N D"
    return (
        f"{where}: no column '{name}'{why}. Columns found: {listed(columns)}."
        f"{_hints((name,), columns)}"
    )


def _hints(names: tuple[str, ...], columns: Sequence[str]) -> str:
    likely = {name: some for name in names if (some := resembling(name, columns))}
    labels = [column for some in likely.values() for column in some]
    pairs = {name: some[0] for name, some in likely.items()} or {names[0]: "your column"}
    hint = f" Likely: {listed(labels)}." if labels else ""
    return f"{hint} Map with {mapping(pairs)}."
