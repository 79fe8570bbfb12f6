"""`read_logs`: files, folders and globs to the runs that they hold."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from bayescale.errors import LimitError, RunsError, UsageError
from bayescale.logs.formats import FORMATS, AbstractFormat, RunLog
from bayescale.logs.logs import Logs
from bayescale.logs.merged_run import merge
from theory.errors import did_you_mean

MOST_ENTRIES = 1_000_000
"""Files and folders that are looked at."""


def read_logs(
    source: str | os.PathLike | Sequence[str | os.PathLike], *, format: str | None = None
) -> Logs:
    r"""Read what training runs logged.

    Parameters
    ----------
    source
        A file, a folder, a pattern such as ``"runs/**/*.jsonl"``, or a list of those. A folder is
        searched through, what begins with a dot passed over; files that no format claims are listed
        in the notes.
    format
        Name in ``bs.formats.FORMATS``; by default each file says itself by its name and first
        bytes.

    Returns
    -------
    Logs
        Every run once: logs of one run in several files are joined.

    Raises
    ------
    UsageError
        There is no format of that name.
    RunsError
        There is nothing at a path, no run in it, or a file cannot be read.
    LimitError
        Reading could exhaust memory.

    Examples
    --------
    >>> import json, tempfile
    >>> path = Path(tempfile.mkdtemp(), "small.jsonl")
    >>> lines = [json.dumps({"step": i, "val_loss": 3 - i / 10}) for i in range(5)]
    >>> _ = path.write_text("\n".join(lines))
    >>> read_logs(path)
    Logs(1 run, 5 records: json_lines)
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"no format of logs called '{format}'.{did_you_mean(format, FORMATS)}")
    given = [source] if isinstance(source, str | os.PathLike) else [*source]
    known = {name: FORMATS[name] for name in ([format] if format is not None else FORMATS)}
    found: list[tuple[str, RunLog]] = []
    unclaimed: list[Path] = []
    notes: list[str] = []
    for path in dict.fromkeys(path for one in given for path in _paths(one)):
        for entry, name in _claimed(path, known, unclaimed, forced=format):
            found += _runs(entry, name, known[name], notes, only=entry == path and len(given) == 1)
    companions = {name for one in known.values() for name in one.companions}
    unclaimed = [path for path in unclaimed if path.name not in companions]
    if unclaimed:
        notes.append(_unread(unclaimed))
    if not found:
        titles = ", ".join(one.title for one in known.values())
        why = f" {' '.join(notes)}" if notes else ""
        raise RunsError(f"no logs in {_shown(given)};{why} formats that are read: {titles}.")
    runs, joined = merge(found)
    return Logs(runs, (*notes, *joined))


def _paths(source: str | os.PathLike) -> list[Path]:
    """Files and folders that a path or a pattern names."""
    text = os.fspath(source)
    if not isinstance(text, str) or "\0" in text:
        raise RunsError(f"{text!r} is not a path of a file or folder.")
    path = Path(text)
    if os.path.lexists(path):
        return [path]
    if glob.has_magic(text):
        paths = [Path(one) for one in sorted(glob.glob(text, recursive=True))]
        # what lies in a folder that matched is found by searching it
        within = {*paths}
        paths = [one for one in paths if not within.intersection(one.parents)]
        if not paths:
            raise RunsError(f"nothing matches '{text}'; check the pattern ('**' crosses folders).")
        return paths
    raise RunsError(f"there is no file or folder '{text}'; check the path.")


def _claimed(
    path: Path, known: dict[str, AbstractFormat], unclaimed: list[Path], *, forced: str | None
) -> Iterator[tuple[Path, str]]:
    """What a format claims at a path and below it; folders that nobody claims are searched."""
    stack, seen = [path], 0
    visited: set[str] = set()
    while stack:
        entry = stack.pop()
        seen += 1
        if seen > MOST_ENTRIES:
            raise LimitError(
                f"'{path}' holds more than {MOST_ENTRIES} files and folders; name a folder within."
            )
        claims = [name for name, one in known.items() if _claims(one, entry)]
        if not claims and forced is not None and entry == path and not entry.is_dir():
            claims = [forced]
        if len(claims) > 1:
            titles = " and ".join(known[name].title for name in claims)
            raise RunsError(
                f"{entry}: could be {titles}; say which with format='{claims[0]}' (command line: "
                f"--format {claims[0]})."
            )
        if claims:
            yield entry, claims[0]
        elif entry.is_dir():
            place = os.path.realpath(entry)  # a link may lead back up
            if place not in visited:
                visited.add(place)
                stack += sorted(_entries(entry), reverse=True)
        else:
            unclaimed.append(entry)


def _claims(one: AbstractFormat, entry: Path) -> bool:
    try:
        return one.claims(entry)
    except OSError:
        return False


def _entries(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise RunsError(f"'{folder}' cannot be read: {error.strerror or error}.") from None


def _runs(
    path: Path, name: str, one: AbstractFormat, notes: list[str], *, only: bool
) -> Iterator[tuple[str, RunLog]]:
    """The runs of a file; among many, one that cannot be read is named and passed over."""
    try:
        for log in one.read(path):
            yield name, log
    except (RunsError, OSError) as error:
        told = str(error) if isinstance(error, RunsError) else f"{path}: {error.strerror or error}."
        if only:
            raise RunsError(told) from None
        notes.append(told)


def _unread(paths: list[Path]) -> str:
    endings: dict[str, int] = {}
    for path in paths:
        ending = path.suffix or "no ending"
        endings[ending] = endings.get(ending, 0) + 1
    many = ", ".join(f"{number} {ending}" for ending, number in sorted(endings.items())[:8])
    return (
        f"{len(paths)} file{'s are' if len(paths) > 1 else ' is'} no log in a known format and "
        f"{'were' if len(paths) > 1 else 'was'} not read ({many}; {_shown(paths)})."
    )


def _shown(paths: Sequence[str | os.PathLike]) -> str:
    shown = ", ".join(f"'{path}'" for path in paths[:3])
    return shown + (", ..." if len(paths) > 3 else "")
