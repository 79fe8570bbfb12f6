"""Datasets by name: a card says what a table holds, whose it is and where; `load` reads it.

A dataset is a folder with a `card.toml`. Its file lies beside the card, or is fetched once from
the card's `url` into the cache: the folder named by the environment variable `BAYESCALE_DATA`, or
else the user's cache folder. Either way its SHA-256 must be the card's.
"""

import difflib
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from bayescale.errors import DatasetError
from bayescale.runs import Runs, read_runs


@dataclass(frozen=True)
class Card:
    """What is known about a dataset, as its `card.toml` declares it.

    Parameters
    ----------
    name, title, description, source, licence
        What the data are, where they come from and on what terms.
    folder
        Where the card lies.
    file, sha256, url
        The file, its checksum, and whence it is fetched; without `url` it lies beside the card.
    columns
        From each column of the file to its `meaning` and `unit`.
    map
        From `N`, `D`, `C`, `loss`, `run` to columns of the file.
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
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    map: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    published: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    citation: str | None = None
    rows: int | None = None

    def path(self) -> Path:
        """Return the file, fetched if need be, its checksum verified.

        Raises
        ------
        DatasetError
            The file is absent and cannot be fetched, or is not the one that the card describes.
        """
        path = (
            self.folder / self.file if self.url is None else cache_folder() / self.name / self.file
        )
        if self.url is not None and not path.is_file():
            _fetch(self.name, self.url, self.sha256, path)
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise DatasetError(
                f"dataset '{self.name}': {path} cannot be read ({error.strerror or error})."
            ) from None
        if found != self.sha256:
            raise DatasetError(
                f"dataset '{self.name}': {path} has SHA-256 {found[:12]}..., but the card says "
                f"{self.sha256[:12]}...; delete the file to have it fetched again."
            )
        return path


def cards() -> dict[str, Card]:
    """Return the card of every dataset, by name."""
    found = [_card(path) for path in sorted(_datasets_folder().glob("*/card.toml"))]
    return {card.name: card for card in found}


def datasets() -> pd.DataFrame:
    """Return a table of the datasets: title, rows, licence, source, and whether at hand."""
    table = [
        {
            "name": card.name,
            "title": card.title,
            "rows": card.rows,
            "licence": card.licence,
            "source": card.source,
            "at hand": card.url is None or (cache_folder() / card.name / card.file).is_file(),
        }
        for card in cards().values()
    ]
    return pd.DataFrame(table).astype({"rows": "Int64"}).set_index("name")


def load(name: str, *, columns: Mapping[str, str] | None = None, **options: Any) -> Runs:
    """Load a dataset by name, fetching its file on first use.

    Parameters
    ----------
    name
        One of `cards()`.
    columns
        Changes to the card's map, such as `{"N": "N_no_emb"}`.
    **options
        Further options of `read_runs`.

    Raises
    ------
    DatasetError
        The name is unknown, or the file cannot be had or is not the right one.
    """
    known = cards()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise DatasetError(f"no dataset called '{name}'.{hint} Known datasets: {', '.join(known)}.")
    card = known[name]
    chosen = {**card.map, **(columns or {})}
    return read_runs(card.path(), columns=chosen, **{"name": name, **card.read, **options})


def cache_folder() -> Path:
    """Return the folder of fetched files: `BAYESCALE_DATA`, or else the user's cache."""
    chosen = os.environ.get("BAYESCALE_DATA")
    if chosen:
        return Path(chosen)
    import pooch  # here: it costs 0.1 s, which the list of datasets need not pay

    return Path(pooch.os_cache("bayescale"))


def _datasets_folder() -> Path:
    """Return the folder of cards: of the source checkout if this is one, or else the wheel's."""
    package = Path(__file__).resolve().parent
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
        known = {item.name for item in fields(Card)}
        card = Card(folder=path.parent, **{k: v for k, v in content.items() if k in known})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError) as error:
        raise DatasetError(f"the card {path} cannot be used: {error}.") from None
    if card.name != path.parent.name:
        raise DatasetError(f"the card {path} calls itself '{card.name}', not after its folder.")
    return card


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
