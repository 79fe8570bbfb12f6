"""Datasets by name: a card says what a table holds, whose it is and where; `load` reads it.

A dataset is a folder with a `card.toml`. Its file lies beside the card, or in the cache: the folder
named by the environment variable `BAYESCALE_DATA`, or else the user's cache folder. There it is
fetched once from the card's `url`, or put by hand where it was converted from public files, which
the card then says how to do. Either way its SHA-256 must be the card's.

A file may hold several tables, which the card names: each is the card with a few entries changed.
"""

import difflib
import hashlib
import os
import shlex
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.errors import DatasetError, UsageError
from bayescale.runs.reading import endings, saved_posterior
from bayescale.runs.table import Runs, read_runs

FETCH_AGAIN = "delete the file to have it fetched again"


@dataclass(frozen=True)
class Card:
    """What is known about a dataset, as its `card.toml` declares it.

    Parameters
    ----------
    name, title, description, source, licence
        What the data are, where they come from and on what terms.
    folder
        Where the card lies.
    file, sha256
        The file and its checksum.
    url, conversion
        Whence it is fetched, or how it is made from the files of `source`: an order such as
        "join ... to one CSV". Without either the file lies beside the card.
    holds
        "runs", or "fits" for a table of published fits, which `load` does not read.
    columns
        From each column of the file to its `meaning` and `unit`; `*` in a name stands for any
        text, so that one entry describes many columns.
    map
        From `N`, `D`, `C`, `loss`, `run` (or any other name) to columns of the file.
    melt
        How a wide file becomes a long one: each of `values` makes a block of rows, with the value
        in a new column `into` and, under each name of `columns`, the column that its pattern
        names after the value, such as `loss_{}`.
    where
        From columns to the value, or a list of the values, that a row must have to be used.
    standard_errors
        From new columns to the pair of columns with the ends of the 95% interval, of which they
        are the half-width over 1.96.
    tables, default
        The tables of the file by name, each as the entries in which it differs from the card; and
        the one meant where none is asked for. Tables that differ only in `where` may be listed in
        `[each]`, by names that are the values of its `columns`, joined by slashes.
    read
        Options for `read_runs` that this file needs.
    notes, published
        Remarks by topic; published results by name, each with its source.
    citation, rows
        The paper to cite, and how many rows the file has, where the card says.
    """

    name: str
    title: str
    description: str
    source: str
    licence: str
    folder: Path
    file: str
    sha256: str
    url: str | None = None
    conversion: str | None = None
    holds: str = "runs"
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    map: Mapping[str, str] = field(default_factory=dict)
    melt: Mapping[str, Any] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    standard_errors: Mapping[str, tuple[str, str] | list[str]] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    default: str | None = None
    read: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    citation: str | None = None
    rows: int | None = None

    @property
    def is_shipped(self) -> bool:
        """Whether the file lies beside the card."""
        return self.url is None and self.conversion is None

    @property
    def place(self) -> Path:
        """Where the file lies, or must lie."""
        return (self.folder if self.is_shipped else cache_folder() / self.name) / self.file

    def table(self, name: str | None = None) -> "Card":
        """Return the card of one of its tables, by default of the one that it says.

        Raises
        ------
        DatasetError
            There is no such table, or one must be chosen.
        """
        name = self.default if name is None else name
        if name is None and not self.tables:
            return self
        if name is None or name not in self.tables:
            raise DatasetError(self._not_a_table(name))
        changes = {
            key: {**getattr(self, key), **value} if isinstance(value, Mapping) else value
            for key, value in self.tables[name].items()
        }
        return replace(self, tables={}, default=None, **changes)

    def _not_a_table(self, name: str | None) -> str:
        if not self.tables:
            return f"dataset '{self.name}' is a single table; leave out table='{name}'."
        listed = f"Its tables: {_some(self.tables)}."
        if name is None:
            first = next(iter(self.tables))
            return (
                f"dataset '{self.name}' holds {len(self.tables)} tables, not to be fitted as one; "
                f"choose one, such as table={first!r} (command line: --table "
                f"{shlex.quote(first)}). {listed}"
            )
        near = difflib.get_close_matches(name, self.tables, 3)
        near = near or [known for known in self.tables if name and name in known][:3]
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        return f"dataset '{self.name}' has no table '{name}'.{hint} {listed}"

    def path(self) -> Path:
        """Return the file, fetched if need be, its checksum verified.

        Raises
        ------
        DatasetError
            The file is absent and cannot be fetched, or is not the one that the card describes.
        """
        path = self.place
        if not self.is_shipped and not path.is_file():
            if self.url is None:
                raise DatasetError(
                    f"dataset '{self.name}': there is no file {path}, and it cannot be fetched "
                    f"because it was converted; make it from {self.source} "
                    f"({self.conversion}), or set BAYESCALE_DATA to a folder that holds "
                    f"{self.name}/{self.file}."
                )
            _fetch(self.name, self.url, self.sha256, path)
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DatasetError(
                f"dataset '{self.name}': {path} cannot be read ({error.strerror or error})."
            ) from None
        if found != self.sha256:
            cure = f"make it again ({self.conversion})" if self.conversion else FETCH_AGAIN
            raise DatasetError(
                f"dataset '{self.name}': {path} has SHA-256 {found[:12]}..., but the card says "
                f"{self.sha256[:12]}...; {cure}."
            )
        return path

    def source_of_runs(self) -> Path | pd.DataFrame:
        """Return what `read_runs` reads: the file, or the part of it that the card describes."""
        if not (self.melt or self.where or self.standard_errors):
            return self.path()
        frame = pd.read_csv(self.path(), engine="pyarrow")  # to the last digit
        if self.melt:
            frame = _long(frame, **self.melt)
        for column, wanted in self.where.items():
            allowed = wanted if isinstance(wanted, list) else [wanted]
            frame = frame.loc[frame[column].isin(allowed)]
        errors = {
            name: (frame[upper] - frame[lower]) / (2 * 1.96)
            for name, (lower, upper) in self.standard_errors.items()
        }
        return frame.assign(**errors).reset_index(drop=True)


def cards() -> dict[str, Card]:
    """Return the card of every dataset, by name."""
    found = [_card(path) for path in sorted(_datasets_folder().glob("*/card.toml"))]
    return {card.name: card for card in found}


def card_of(name: str) -> Card:
    """Return the card of a dataset.

    Raises
    ------
    DatasetError
        There is no dataset of that name; for a file the message says how to read it.
    """
    known = cards()
    if name in known:
        return known[name]
    if sentence := saved_posterior(name):
        raise DatasetError(sentence)
    if Path(name).suffix.lower() in endings() or Path(name).is_file():
        raise DatasetError(
            f"'{name}' is a file, not the name of a dataset; read it with bs.read_runs({name!r})."
        )
    near = difflib.get_close_matches(name, known, 1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    raise DatasetError(f"no dataset called '{name}'.{hint} Known datasets: {', '.join(known)}.")


def datasets() -> pd.DataFrame:
    """Return a table of the datasets: title, rows, tables, licence, source, whether at hand."""
    table = [
        {
            "name": card.name,
            "title": card.title,
            "rows": card.rows,
            "tables": max(1, len(card.tables)),
            "licence": card.licence,
            "source": card.source,
            "at hand": card.is_shipped or card.place.is_file(),
        }
        for card in cards().values()
    ]
    return pd.DataFrame(table).astype({"rows": "Int64"}).set_index("name")


def load(
    name: Any,
    *,
    table: str | None = None,
    columns: Mapping[str, str] | None = None,
    **options: Any,
) -> Runs:
    """Load a dataset by name, fetching its file on first use.

    Parameters
    ----------
    name
        One of `cards()`, as text.
    table
        Which table of a dataset that holds several, such as `"rpj/c4_val"` of `gadre_overtrain`.
    columns
        Changes to the card's map, such as `{"N": "N_no_emb"}`.
    **options
        Further options of `read_runs`, such as `max_rows`.

    Raises
    ------
    DatasetError
        The name or the table is unknown, or the file cannot be had or is not the right one.
    UsageError
        The name is not text.
    """
    if not isinstance(name, str | os.PathLike):
        raise UsageError(
            f"load takes the name of a dataset; got {type(name).__name__}. A table is read with "
            "bs.read_runs(...)."
        )
    whole = card_of(str(name))
    if whole.holds != "runs":
        raise DatasetError(
            f"dataset '{name}' holds published {whole.holds}, not runs; read it with "
            "published_fits()."
        )
    card = whole.table(table)
    options = {
        "name": name if table is None else f"{name}/{table}",
        "guess": False,
        **card.read,
        **options,
    }
    chosen = {**card.map, **(columns or {})}
    return read_runs(card.source_of_runs(), columns=chosen, **options)


def cache_folder() -> Path:
    """Return the folder of fetched files: `BAYESCALE_DATA`, or else the user's cache."""
    chosen = os.environ.get("BAYESCALE_DATA")
    if chosen:
        return Path(chosen)
    import pooch  # here: it costs 0.1 s, which the list of datasets need not pay

    return Path(pooch.os_cache("bayescale"))


def _datasets_folder() -> Path:
    """Return the folder of cards: of the source checkout if this is one, or else the wheel's."""
    package = Path(__file__).resolve().parents[1]
    try:
        project = tomllib.loads((package.parent / "pyproject.toml").read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        project = {}
    if project.get("project", {}).get("name") == "bayescale":
        return package.parent / "datasets"
    return package / "_datasets"


def _card(path: Path) -> Card:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
        if each := content.pop("each", None):
            content["tables"] = {**_tables_of(**each), **content.get("tables", {})}
        known = {item.name for item in fields(Card)}
        card = Card(folder=path.parent, **{k: v for k, v in content.items() if k in known})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise DatasetError(f"the card {path} cannot be used: {error}.") from None
    if card.name != path.parent.name:
        raise DatasetError(f"the card {path} calls itself '{card.name}', not after its folder.")
    return card


def _tables_of(columns: list[str], tables: list[str]) -> dict[str, dict[str, Any]]:
    """Tables that are called after what their rows have in `columns`, joined by slashes."""
    values = {name: name.split("/", len(columns) - 1) for name in tables}
    return {name: {"where": dict(zip(columns, values[name], strict=True))} for name in tables}


def _long(
    frame: pd.DataFrame, into: str, values: list[str], columns: Mapping[str, str]
) -> pd.DataFrame:
    """One block of rows a value, in which the columns called after the value get one name."""
    found = {value: {new: old.format(value) for new, old in columns.items()} for value in values}
    wide = [old for names in found.values() for old in names.values()]
    blocks = [
        frame.drop(columns=wide).assign(**{into: value, **{n: frame[o] for n, o in names.items()}})
        for value, names in found.items()
    ]
    return pd.concat(blocks, ignore_index=True)


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")


def _fetch(name: str, url: str, sha256: str, path: Path) -> None:
    import pooch

    try:
        pooch.retrieve(url, known_hash=f"sha256:{sha256}", fname=path.name, path=path.parent)
    except ValueError:
        raise DatasetError(
            f"dataset '{name}': what {url} returned does not have the SHA-256 of the card "
            f"({sha256[:12]}...), so it was not kept."
        ) from None
    except OSError as error:
        raise DatasetError(
            f"dataset '{name}' is not in the cache and could not be fetched from {url} "
            f"({type(error).__name__}); download it by hand to {path}, or set BAYESCALE_DATA to a "
            f"folder that holds {name}/{path.name}."
        ) from None
