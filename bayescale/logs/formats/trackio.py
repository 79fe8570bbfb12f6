"""Trackio: a database of SQLite for a project, its values JSON text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from bayescale.errors import LimitError, RunsError
from bayescale.logs.damage import Damage
from bayescale.logs.database import Database, is_database, opened
from bayescale.logs.format import AbstractFormat
from bayescale.logs.history import History
from bayescale.logs.json_values import NOT_FINITE, JsonError, flat, parse
from bayescale.logs.run_log import RunLog

TIME = "timestamp"
"""Column of the time at which a record was written, as Trackio writes it (ISO 8601)."""

_NEEDED = {"run_name", "step", "metrics"}
_Configs = dict[str, dict[str, Any] | str]
_OWN = "_"  # begins the names that Trackio writes to config for itself


class Format(AbstractFormat):
    """Databases of Trackio.

    A run is called ``PROJECT/NAME``, and by its id as well where the project has several of that
    name. Trackio does not say how a run ended. Damage that SQLite itself does not notice, a number
    changed within its cell, cannot be noticed here either.
    """

    title: ClassVar[str] = "Trackio"

    def claims(self, path: Path) -> bool:
        """Whether it is a database with the tables of Trackio."""
        if not is_database(path):
            return False
        try:
            with opened(path, check=False) as database:
                return set(database.columns("metrics")) >= _NEEDED
        except (RunsError, LimitError):
            return path.suffix == ".db" and path.with_suffix(".lock").exists()

    def read(self, path: Path) -> Iterator[RunLog]:
        """The runs of a project, in the order they were begun.

        Raises
        ------
        RunsError
            Nothing can be read.
        LimitError
            Reading could exhaust memory.
        """
        with opened(path) as database:
            has = set(database.columns("metrics"))
            if not has >= _NEEDED:
                raise RunsError(
                    f"{path}: a database without the tables of Trackio (metrics with the columns "
                    f"{', '.join(sorted(_NEEDED))})."
                )
            key = "run_id" if "run_id" in has else "run_name"
            configs = _configs(path, database, key)
            runs = [
                *database.rows(
                    f"SELECT {key}, run_name FROM metrics WHERE {key} IS NOT NULL "
                    f"GROUP BY {key} ORDER BY min(id)"
                )
            ]
            names = [database.text(name) for _, name in runs]
            if not runs:
                raise RunsError(f"{path}: a database of Trackio without a run that logged.")
            notes = database.notes
            for (cell, _), name in zip(runs, names, strict=True):
                run = database.text(cell)
                called = f"{path.stem}/{name}"
                if names.count(name) > 1:
                    called += f" ({run[:8]})"
                log = _run(path, database, key, run, called, configs)
                yield replace(log, notes=(*notes, *log.notes))
                notes = ()


def _configs(path: Path, database: Database, key: str) -> _Configs:
    """Config of each run, or the sentence that says why it has none."""
    if not set(database.columns("configs")) >= {key, "config"}:
        return {}
    found: _Configs = {}
    for cell, text in database.rows(f"SELECT {key}, config FROM configs"):
        run = database.text(cell)
        try:
            values = _values(text)
            found[run] = {name: one for name, one in values if not name.startswith(_OWN)}
        except JsonError as error:
            found[run] = f"{path}: the config of a run is damaged ({error}) and is left out."
    return found


def _values(text: Any) -> list[tuple[str, Any]]:
    value = parse(text if isinstance(text, str | bytes) else "")
    if not isinstance(value, dict):
        raise JsonError("not an object")
    return [
        (name, NOT_FINITE.get(one, one) if isinstance(one, str) else one)
        for name, one in flat(value)
    ]


def _run(
    path: Path, database: Database, key: str, run: str, name: str, configs: _Configs
) -> RunLog:
    history, damage = History(str(path)), Damage(str(path))
    time = f", {TIME}" if TIME in database.columns("metrics") else ""
    query = f"SELECT step, metrics{time} FROM metrics WHERE {key} = ? ORDER BY id"
    for step, text, *when in database.rows(query, run):
        try:
            values = _values(text)
        except JsonError as error:
            damage.count(f"records are damaged ({error}) and are left out")
            continue
        history.record(step)
        for metric, value in values:
            history.put(metric, value)
        if when and TIME not in dict(values):
            history.put(TIME, database.text(when[0]))
    config = configs.get(run, {})
    lost = (config,) if isinstance(config, str) else ()
    return RunLog(
        name,
        str(path),
        history.table(),
        {} if isinstance(config, str) else config,
        notes=(*lost, *damage.notes(), *history.notes()),
        identity=f"trackio {path.resolve()} {name}",
    )
