"""Fits that are finished, kept in a folder, so that long work goes on where it was stopped.

What a fit gives follows from its tables, models, engine and seed: their digest is the name of its
file. A fit that is read gives the numbers of the one that was made, to the last digit.
"""

import hashlib
import json
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bayescale._version import __version__
from bayescale.atomic_write import write_whole
from bayescale.diagnosis import Diagnosis
from bayescale.errors import BayescaleWarning, OutputError, PosteriorFileError
from bayescale.fitting.chunk import NAME, Chunk, Fitted
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.posteriors.posterior import Posterior
from bayescale.runs.table import Runs

PARTS = ("coordinates", "sample_stats")
"""What of draws are arrays."""


@dataclass(frozen=True)
class Finished:
    """A folder of finished fits.

    Parameters
    ----------
    folder
        Where they are; it holds nothing that is not made again if it is deleted.
    """

    folder: Path

    @classmethod
    def at(cls, folder: str | os.PathLike) -> "Finished":
        """The folder, made where it does not exist.

        Raises
        ------
        OutputError
            If it cannot be made.
        """
        path = Path(folder)
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the folder '{path}' to resume from cannot be made ({error.strerror or error}); "
                "name another."
            ) from error
        return cls(path)

    def chunk(self, chunk: Chunk) -> list[Fitted] | None:
        """Fits of a chunk of tables; None where they are not finished."""
        path = self._chunk_path(chunk)
        if not path.exists():
            return None
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
            self._again(path)
            return None

    def keep_chunk(self, chunk: Chunk, fitted: Sequence[Fitted]) -> None:
        """Write the fits of a chunk.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        write_whole(self._chunk_path(chunk), _image(fitted))

    def posterior(
        self, runs: Runs, model: Model, engine: str, seed: int, make: Callable[[], Posterior]
    ) -> Posterior:
        """Posterior of a table by an engine: read where it is finished, else made and written.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        path = self.folder / f"{_digest(engine, [runs], [model], {'seed': seed})}.nc"
        if path.exists():
            try:
                return Posterior.load(path, law=model.law)
            except PosteriorFileError:
                self._again(path)
        found = make()
        found.save(path)
        return found

    def _chunk_path(self, chunk: Chunk) -> Path:
        sizes = {name: getattr(chunk, name) for name in ("width", "rows", "chains", "seed")}
        before = [_sum(one.coordinates) for one in chunk.before]
        asked = {**sizes, "places": list(chunk.places), "before": before}
        return self.folder / f"{_digest(NAME, chunk.tables, chunk.models, asked)}.npz"

    def _again(self, path: Path) -> None:
        warnings.warn(
            f"'{path}' is damaged; the fits in it are made again.", BayescaleWarning, stacklevel=4
        )


def _digest(
    engine: str, tables: Sequence[Runs], models: Sequence[Model], asked: Mapping[str, Any]
) -> str:
    """All that the numbers of a fit follow from, in 32 letters."""
    told = {
        "versions": [__version__, jax.__version__, jax.default_backend()],
        "engine": engine,
        "tables": [[runs.name, runs.table.to_csv(index=False), *runs.notes] for runs in tables],
        "models": [model.to_dict() for model in models],
        "asked": dict(asked),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _sum(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _image(fitted: Sequence[Fitted]) -> bytes:
    """Fits as an archive of arrays, the first of which is JSON."""
    arrays, told = {}, []
    for i, one in enumerate(fitted):
        for part in PARTS:
            found = getattr(one.draws, part)
            arrays |= {f"{i}/{part}/{name}": np.asarray(found[name]) for name in found}
        verdict = one.diagnosis
        told.append(
            {
                "facts": dict(one.draws.facts),
                "packages": one.draws.packages,
                "diagnosis": [verdict.refusals, verdict.warnings, verdict.notes],
                "numbers": [one.r_hat, one.ess, one.divergences, one.bfmi],
                **{part: list(getattr(one.draws, part)) for part in PARTS},
            }
        )
    text = json.dumps(told, default=lambda number: number.item())
    out = BytesIO()
    np.savez(out, about=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    return out.getvalue()


def _read(path: Path) -> list[Fitted]:
    """Fits from `_image`; the archive knows by its own checksums where it is damaged."""
    with np.load(path) as archive:
        told = json.loads(archive["about"].tobytes())
        out = []
        for i, one in enumerate(told):
            coordinates, stats = (
                {name: archive[f"{i}/{part}/{name}"] for name in one[part]} for part in PARTS
            )
            draws = Draws(coordinates, stats, one["facts"], tuple(one["packages"]))
            verdict = Diagnosis(*(tuple(sentences) for sentences in one["diagnosis"]))
            out.append(Fitted(draws, verdict, *one["numbers"]))
    return out
