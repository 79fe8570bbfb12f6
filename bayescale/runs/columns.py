"""Which column of a table is N, D, C, loss or run, and the table gathered under those names."""

import contextlib
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute

from bayescale.errors import RunsError, UsageError
from bayescale.runs.cells import Numbers, as_arrow, inferred
from bayescale.runs.reader import check_names
from bayescale.runs.reading import Readable, open_source

pc: Any = pyarrow.compute  # its functions are generated on import, unseen by type checkers
RESOURCES = ("N", "D", "C")
NUMERIC = (*RESOURCES, "loss")
CANONICAL = (*NUMERIC, "run")
_ALIASES = {
    "N": ("params", "parameters", "nparams", "modelsize", "numparams"),
    "D": ("tokens", "traintokens", "ntokens", "examples", "datasetsize"),
    "C": ("flops", "flop", "compute", "trainingflop"),
    "loss": ("valloss", "evalloss", "testloss", "trainloss", "crossentropy", "nll"),
    "run": ("runid", "runname", "id"),
}


def gather(
    source: str | os.PathLike | Readable | pd.DataFrame,
    columns: Mapping[str, str],
    notes: list[str],
) -> tuple[pd.DataFrame, dict[str, str], str]:
    """Return the table under our column names, what each was called, and the source's name."""
    with contextlib.ExitStack() as stack:
        return _gathered(source, columns, notes, stack)


def _gathered(
    source: str | os.PathLike | Readable | pd.DataFrame,
    columns: Mapping[str, str],
    notes: list[str],
    stack: contextlib.ExitStack,
) -> tuple[pd.DataFrame, dict[str, str], str]:
    if isinstance(source, pd.DataFrame):
        where, typed, batches = "table", True, []
        kept = source.attrs.get("provenance", ())
        provenance = tuple(map(str, kept)) if isinstance(kept, list | tuple) else ()
        found = [str(column) for column in source.columns]
        check_names(found, where)
        series = [source.iloc[:, i].reset_index(drop=True) for i in range(len(found))]
    else:
        opened = open_source(source, stack)
        where, found, typed = opened.name, opened.columns, opened.typed
        series, batches, provenance = None, opened.batches, opened.provenance
    names = _renamed(found, columns, where, notes)
    numbers = {i: Numbers(found[i], where) for i, name in enumerate(names) if name in NUMERIC}
    others: dict[int, list[pa.Array]] = {
        i: []
        for i, name in enumerate(names)
        if name not in NUMERIC and (series is None or name == "run")
    }
    if series is not None:
        batches = [{i: as_arrow(series[i]) for i in (*numbers, *others)}]
    for batch in batches:
        for i, column in numbers.items():
            column.add(batch[i])
        for i, chunks in others.items():
            chunks.append(batch[i])
    if not any(len(column) for column in numbers.values()):
        raise RunsError(f"{where}: the table has column names but no rows; add the runs.")
    table: dict[str, Any] = {}
    for i, name in enumerate(names):
        if i in numbers:
            table[name] = numbers[i].values()
            if numbers[i].grouped:
                notes.append(
                    f"{where}: commas in {numbers[i].grouped} cells of column '{found[i]}' were "
                    "read as thousands separators."
                )
        elif name == "run":
            table[name] = _text(others[i], where, found[i])
        elif series is not None:
            table[name] = series[i]
        else:
            table[name] = pa.chunked_array(others[i]).to_pandas() if typed else inferred(others[i])
    frame = pd.DataFrame(table, copy=False)
    frame.attrs["provenance"] = provenance
    return frame, dict(zip(names, found, strict=True)), where


def _text(chunks: list[pa.Array], where: str, label: str) -> pd.Series:
    try:
        text = pc.cast(pa.chunked_array(chunks), pa.string())
    except pa.ArrowException:
        raise RunsError(
            f"{where}: column '{label}' names the runs but does not hold text or numbers; "
            "give each run a name."
        ) from None
    text = pc.utf8_trim_whitespace(text)
    return pc.if_else(pc.equal(text, ""), None, text).to_pandas().astype("str")


def _renamed(
    found: list[str], columns: Mapping[str, str], where: str, notes: list[str]
) -> list[str]:
    for ours, theirs in columns.items():
        if theirs not in found:
            swapped = ours in found and theirs in CANONICAL
            near = [ours] if swapped else difflib.get_close_matches(theirs, found, 3, 0.6)
            hint = f" Did you mean {', '.join(map(repr, near))}?" if near else ""
            if swapped:
                hint = f' Write columns={{"{theirs}": "{ours}"}}: our name first.'
            raise RunsError(
                f"{where}: no column {theirs!r} to use as {ours}.{hint} Columns found: "
                f"{_listed(found)}."
            )
    twice = {theirs for theirs in columns.values() if list(columns.values()).count(theirs) > 1}
    if twice:
        raise UsageError(f"columns uses {_listed(sorted(twice))} for more than one name.")
    ours_of = {theirs: ours for ours, theirs in columns.items()}
    names: list[str] = []
    for theirs in found:
        name = ours_of.get(theirs, theirs)
        if theirs not in ours_of and name in columns:  # the user chose another column for it
            name = f"{theirs}_in_file"
            notes.append(f"{where}: its own column '{theirs}' is kept as '{name}'.")
        names.append(name)
    check_names(names, where)
    if "loss" not in names:
        raise RunsError(absent("loss", found, where))
    if not any(resource in names for resource in RESOURCES) and not _others(names):
        hints = _hints(("N", "D", "C"), found)
        raise RunsError(
            f"{where}: no column N, D or C, and a law needs at least one. Columns found: "
            f"{_listed(found)}.{hints}"
        )
    return names


def _others(names: Sequence[str]) -> bool:
    """Whether a name is that of a resource which few tables have, such as S or N_v."""
    from theory.declaration.symbols import RESOURCES as KNOWN  # SymPy is slow to import

    return any(name in KNOWN for name in names)


def absent(name: str, columns: Iterable[str], where: str) -> str:
    """Return the sentence that says a column is absent, which may be meant, and how to map it."""
    columns = list(columns)
    why = ""
    if name == "D":
        why = " and it cannot be computed as C / (6 N)"
    elif name == "C":
        why = " and it cannot be computed as 6 N D"
    return (
        f"{where}: no column '{name}'{why}. Columns found: {_listed(columns)}."
        f"{_hints((name,), columns)}"
    )


def _hints(names: tuple[str, ...], columns: Sequence[str]) -> str:
    likely = {name: found for name in names if (found := _candidates(name, columns))}
    some = [column for found in likely.values() for column in found]
    pairs = {name: found[0] for name, found in likely.items()} or {names[0]: "your column"}
    mapping = ", ".join(f'"{ours}": "{theirs}"' for ours, theirs in pairs.items())
    options = " ".join(f'--column {ours}="{theirs}"' for ours, theirs in pairs.items())
    hint = f" Likely: {_listed(some)}." if some else ""
    return f"{hint} Map with columns={{{mapping}}} (command line: {options})."


def _candidates(name: str, columns: Sequence[str]) -> list[str]:
    aliases = (name.lower(), *_ALIASES.get(name, ()))
    long = [alias for alias in aliases if len(alias) > 3]
    found = []
    for column in columns:
        plain = "".join(letter for letter in column.lower() if letter.isalnum())
        if column not in CANONICAL and (
            plain in aliases
            or any(alias in plain for alias in long)
            or difflib.get_close_matches(plain, long, 1, 0.8)
        ):
            found.append(column)
    return found


def _listed(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > 20 else ""
    return ", ".join(f"'{name}'" for name in names[:20]) + more
