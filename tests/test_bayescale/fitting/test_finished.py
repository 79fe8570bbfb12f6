"""Long work that was stopped goes on, and gives what it would have given without a stop."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bayescale as bs
from bayescale.errors import BayescaleWarning, OutputError
from bayescale.fitting import many
from bayescale.fitting.chunk import fit_chunk


@pytest.fixture(scope="module")
def tables() -> list[bs.Runs]:
    """Five small tables of the power law."""
    model = bs.Model.at("power", pivot={"N": 1e8})
    at = {"sigma": 0.003, "nu": 8.0, "alpha": 0.3, "floor_fraction": 0.6}
    sizes = {"N": np.geomspace(1e6, 1e10, 12)}
    return [model.simulate(sizes, seed=seed, coordinates=at).runs for seed in range(5)]


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Two tables a chunk; the sizes of the chunks that are really fitted."""
    fitted: list[int] = []

    def counted(chunk: Any, devices: Any = None) -> Any:
        fitted.append(len(chunk.tables))
        return fit_chunk(chunk, devices)

    monkeypatch.setattr(many, "TABLES", 2)
    monkeypatch.setattr(many, "fit_chunk", counted)
    return fitted


def same(one: bs.Fits, other: bs.Fits) -> None:
    assert json.dumps(one.to_dict()) == json.dumps(other.to_dict())
    for a, b in zip(one.fitted, other.fitted, strict=True):
        assert a.diagnosis == b.diagnosis
        assert a.draws.facts == b.draws.facts
        assert a.draws.packages == b.draws.packages
        for part in ("coordinates", "sample_stats"):
            mine, theirs = getattr(a.draws, part), getattr(b.draws, part)
            assert list(mine) == list(theirs)
            for name in mine:
                np.testing.assert_array_equal(mine[name], theirs[name], strict=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_fits_that_were_stopped_go_on_to_the_same_numbers(
    tables: list[bs.Runs], pairs: list[int], tmp_path: Path
) -> None:
    whole = bs.fit_many(tables, "power", seed=3)
    made = len(pairs)

    def stop(stage: str) -> None:
        if stage.startswith("2 of 3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bs.fit_many(tables, "power", seed=3, progress=stop, resume=tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 2
    pairs.clear()
    resumed = bs.fit_many(tables, "power", seed=3, resume=tmp_path / "kept")
    assert len(pairs) == made - 2
    same(whole, resumed)
    pairs.clear()
    same(whole, bs.fit_many(tables, "power", seed=3, resume=tmp_path / "kept"))
    assert pairs == []

    # Another question finds nothing, and a damaged file is noticed.
    bs.fit_many(tables, "power", seed=4, resume=tmp_path / "kept")
    assert pairs[:3] == [2, 2, 1]
    pairs.clear()
    damaged = min((tmp_path / "kept").iterdir(), key=lambda path: path.stat().st_mtime)
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    with pytest.warns(BayescaleWarning, match="is damaged; the fits in it are made again"):
        same(whole, bs.fit_many(tables, "power", seed=3, resume=tmp_path / "kept"))
    assert pairs == [2]


def test_a_folder_that_cannot_be_made_gets_its_sentence(
    tables: list[bs.Runs], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file", tmp_path / "absent" / "folder"):
        with pytest.raises(OutputError, match="to resume from cannot be made"):
            bs.fit_many(tables, "power", resume=path)


@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
@pytest.mark.parametrize("engine", [pytest.param("batch", marks=pytest.mark.slow), "laplace"])
def test_a_calibration_that_was_stopped_goes_on_to_the_same_numbers(
    engine: str, tmp_path: Path
) -> None:
    model = bs.Model.at("power", pivot={"N": 1e8})
    at = {"sigma": 0.003, "nu": 8.0, "alpha": 0.3, "floor_fraction": 0.6}
    runs = model.simulate({"N": np.geomspace(1e6, 1e10, 30)}, seed=0, coordinates=at).runs
    asked: dict[str, Any] = {"law": "power", "cuts": [1e8, 1e9], "engine": engine, "seed": 1}
    whole = bs.calibrate(runs, **asked)
    kept = tmp_path / "kept"
    second = {"batch": "chunks of tables", "laplace": "cut 2 of 2"}[engine]

    def stop(stage: str) -> None:
        if second in stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bs.calibrate(runs, **asked, resume=kept, progress=stop)
    assert len(list(kept.iterdir())) == 1
    resumed = bs.calibrate(runs, **asked, resume=kept)
    again = bs.calibrate(runs, **asked, resume=kept)
    assert json.dumps(whole.to_dict()) == json.dumps(resumed.to_dict())
    assert json.dumps(whole.to_dict()) == json.dumps(again.to_dict())
