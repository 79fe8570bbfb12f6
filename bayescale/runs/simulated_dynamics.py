"""`simulate_dmft`: Monte Carlo of a random-feature model beside its theory, into a resumable table.

One row a point and chunk of draws. Rows of what is done are kept when the run is interrupted; the
same call goes on from there, since draw i does not depend on which draws came before.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from bayescale.atomic_write import require_writable, write_whole
from bayescale.errors import OutputError, UsageError
from bayescale.progress import Part, Progress, shown
from theory.errors import did_you_mean

if TYPE_CHECKING:
    from theory.learning.dmft.dynamics import AbstractDynamics

CHUNK = 50
"""Draws a row: what is lost at most when a run is interrupted."""

OPTIONS = b"bayescale.simulate"
"""Key of the options in the metadata of the file."""

POINT = ["N", "P", "t"]

DYNAMICS = {
    "flow": (),
    "descent": ("learning_rate",),
    "heavy-ball": ("learning_rate", "momentum"),
    "ridge": ("penalty",),
    "sgd": ("learning_rate", "batch"),
}
"""Ways to train, and the settings that each needs."""


@dataclass(frozen=True)
class Experiment:
    """What is simulated; two files with the same experiment hold the same draws.

    Parameters
    ----------
    a, b, modes
        The task: ``lambda_k = k^-b``, ``p_k = k^-a`` for k = 1 .. modes.
    N, P
        Features and samples; every combination is a curve. `math.inf` is allowed.
    t
        Times, or numbers of steps.
    noise
        Variance of the label noise.
    dynamics
        A name in `DYNAMICS`.
    settings
        What it needs, by name.
    observable
        ``"test"``, ``"train"`` or ``"gap"``.
    seed
        Seed of the draws.
    """

    a: float
    b: float
    modes: int
    N: tuple[float, ...]
    P: tuple[float, ...]
    t: tuple[float, ...]
    noise: float
    dynamics: str
    settings: dict[str, float]
    observable: str
    seed: int

    def to_json(self) -> str:
        """The experiment as text that is equal where the experiment is; `inf` is null."""
        fields = {**vars(self), "settings": dict(sorted(self.settings.items()))}
        for size in ("N", "P", "t"):
            fields[size] = [None if value == math.inf else value for value in fields[size]]
        return json.dumps(fields, sort_keys=True, allow_nan=False)

    def method(self) -> "AbstractDynamics":
        """The way to train, with its settings."""
        from theory.learning.dmft import dynamics, sgd

        kinds: dict[str, Any] = {
            "flow": dynamics.GradientFlow,
            "descent": dynamics.GradientDescent,
            "heavy-ball": dynamics.HeavyBall,
            "ridge": dynamics.Ridge,
            "sgd": sgd.StochasticGradientDescent,
        }
        return kinds[self.dynamics](**self.settings)


def simulate_dmft(
    path: str | Path,
    *,
    a: float,
    b: float,
    N: Sequence[float],
    P: Sequence[float] = (math.inf,),
    t: Sequence[float],
    modes: int = 500,
    noise: float = 0.0,
    dynamics: str = "flow",
    observable: str = "test",
    draws: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
    **settings: float,
) -> pd.DataFrame:
    """Simulate curves of a random-feature model and keep the draws in a Parquet file.

    Parameters
    ----------
    path
        Parquet file to make, or to go on with.
    a, b, modes, N, P, t, noise, dynamics, observable, seed
        See `Experiment`.
    draws
        Draws a curve; more than the file has are added to it.
    progress
        Called with a few words after every chunk.
    **settings
        Of the dynamics: ``learning_rate``, ``momentum``, ``penalty``, ``batch``.

    Returns
    -------
    pandas.DataFrame
        One row a point: N, P, t, mean, standard_error, draws.

    Raises
    ------
    UsageError
        If an option is wrong, or the file holds another experiment.
    OutputError
        If the file cannot be written; what was written before is kept.
    TheoryError
        If the simulation refuses its arguments.
    """
    _require_settings(dynamics, settings)
    if draws < 2 or not (N and P and t):
        raise UsageError(
            "a simulation needs at least 2 draws and one value each of N, P and t; got "
            f"draws={draws}, {len(N)} of N, {len(P)} of P, {len(t)} of t."
        )
    features, examples, times = (tuple(map(float, sorted(set(values)))) for values in (N, P, t))
    experiment = Experiment(
        a=float(a),
        b=float(b),
        modes=modes,
        N=features,
        P=examples,
        t=times,
        noise=float(noise),
        dynamics=dynamics,
        settings={k: float(v) for k, v in settings.items()},
        observable=observable,
        seed=seed,
    )
    target = Path(path)
    rows = _resume(target, experiment)
    curves = [(size, samples) for size in experiment.N for samples in experiment.P]
    with shown(progress) as tell:
        for number, (size, samples) in enumerate(curves):
            done = rows.loc[(rows["N"] == size) & (rows["P"] == samples)]
            first = int(done.groupby("t")["draws"].sum().min()) if len(done) else 0
            while first < draws:
                count = min(CHUNK, draws - first)
                chunk = _chunk(experiment, size, samples, first, count)
                rows = pd.concat([rows, chunk], ignore_index=True) if len(rows) else chunk
                _write(target, rows, experiment)
                first += count
                told = f"curve {number + 1} of {len(curves)}: {first} of {draws} draws"
                tell(Part(told, (number + first / draws) / len(curves)))
    return summary(rows)


def _require_settings(dynamics: str, settings: dict[str, float]) -> None:
    if dynamics not in DYNAMICS:
        raise UsageError(f"no dynamics called '{dynamics}'.{did_you_mean(dynamics, DYNAMICS)}")
    needed = DYNAMICS[dynamics]
    if set(needed) != set(settings):
        raise UsageError(
            f"dynamics '{dynamics}' takes {', '.join(needed) or 'no setting'}; got "
            f"{', '.join(sorted(settings)) or 'none'}."
        )


def _chunk(experiment: Experiment, N: float, P: float, first: int, count: int) -> pd.DataFrame:
    """Mean and sum of squared deviations of a few draws, one row a time."""
    from theory.learning.simulate import losses_by_draw
    from theory.learning.spectrum import PowerLaw

    values = losses_by_draw(
        PowerLaw(experiment.a, experiment.b, modes=experiment.modes),
        N=N,
        P=P,
        t=experiment.t,
        noise=experiment.noise,
        dynamics=experiment.method(),
        observable=experiment.observable,
        draws=count,
        first=first,
        seed=experiment.seed,
    )
    _require_finite(values, first, experiment)
    mean = values.mean(axis=0)
    return pd.DataFrame(
        {
            "N": N,
            "P": P,
            "t": experiment.t,
            "first": first,
            "draws": count,
            "mean": mean,
            "squares": np.sum((values - mean) ** 2, axis=0),
        }
    )


def _require_finite(values: np.ndarray, first: int, experiment: Experiment) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if bad.size:
        raise UsageError(
            f"draw {first + bad[0]} has no finite loss, so '{experiment.dynamics}' diverged; lower "
            "the learning rate or the number of steps."
        )


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard error of each point, from its chunks.

    Parameters
    ----------
    rows
        With columns N, P, t, draws, mean and squares, the sum of squared deviations of a chunk.
    """
    weighted = rows.assign(total=rows["draws"] * rows["mean"])
    found = weighted.groupby(POINT).agg(
        draws=("draws", "sum"), total=("total", "sum"), within=("squares", "sum")
    )
    mean = cast(pd.Series, found["total"] / found["draws"])
    between = weighted.join(mean.rename("centre"), on=POINT)
    between = between.assign(part=between["draws"] * (between["mean"] - between["centre"]) ** 2)
    squares = found["within"] + between.groupby(POINT)["part"].sum()
    error = np.sqrt(squares / (found["draws"] - 1) / found["draws"])
    table = pd.DataFrame({"mean": mean, "standard_error": error, "draws": found["draws"]})
    return table.reset_index()


def _resume(target: Path, experiment: Experiment) -> pd.DataFrame:
    """Rows of the file, which must be of this experiment; none where there is no file."""
    require_writable(target)
    if target.exists() and not target.is_file():
        raise OutputError(
            f"'{target}' cannot be gone on with: it is a pipe or a device; name a file."
        )
    if not target.exists():
        return pd.DataFrame(columns=[*POINT, "first", "draws", "mean", "squares"])
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(target)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(
            f"'{target}' is not a Parquet file that can be read; name another file."
        ) from error
    held = (table.schema.metadata or {}).get(OPTIONS)
    if held is None:
        raise UsageError(f"'{target}' was not written by a simulation; name another file.")
    before, now = json.loads(held), json.loads(experiment.to_json())
    if changed := [name for name in now if before.get(name) != now[name]]:
        raise UsageError(
            f"'{target}' holds a simulation with other options: "
            + ", ".join(f"{name} was {before.get(name)}, now {now[name]}" for name in changed)
            + "; give the same options to go on with it, or name another file."
        )
    return table.to_pandas()


def _write(target: Path, rows: pd.DataFrame, experiment: Experiment) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.Table.from_pandas(rows, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), OPTIONS: experiment.to_json().encode()}
    image = pa.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata(metadata), image)
    write_whole(target, memoryview(image.getvalue()))
