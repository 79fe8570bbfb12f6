"""Saved files: of one law and of stacks, of older and newer schemas, damaged in every way."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from pandas.testing import assert_frame_equal

import bayescale as bs
from bayescale.errors import OutputError, PosteriorFileError
from bayescale.posteriors.saved import load_saved

OLD = Path(__file__).resolve().parents[2] / "reference" / "saved"


@pytest.fixture(scope="module")
def file(ladder: bs.Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ladder.save(tmp_path_factory.mktemp("saved") / "fit.nc")


@pytest.fixture(scope="module")
def small() -> bs.Posterior:
    """A posterior of few draws, so that its file is small and often damaged where it matters."""
    return bs.Posterior.load(OLD / "posterior_2.nc")


@pytest.fixture(scope="module")
def stacked(ladder: bs.Posterior) -> bs.Stack:
    assert ladder.runs is not None
    runs = bs.read_runs(ladder.runs.reset_index(drop=True))
    share = bs.fit(runs, "share", engine="laplace", seed=1)
    again = bs.fit(runs, "chinchilla", engine="laplace", seed=0)
    return bs.stack({"additive": again, "of my/own name": share}, by="loo")


def test_a_file_of_schema_2_gives_the_numbers_that_its_program_gave(small: bs.Posterior) -> None:
    told = json.loads((OLD / "posterior_2.json").read_text("utf-8"))
    found = small.predict(N=1e9, D=1e11).summary().to_dict(orient="records")
    assert found[0].keys() == told[0].keys()
    # The draws are read, not made: only the rounding of sums may differ.
    np.testing.assert_allclose(list(found[0].values()), list(told[0].values()), rtol=1e-12)


def test_other_programs_read_the_file_and_write_it_anew(file: Path, tmp_path: Path) -> None:
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        copy = tree.load()
    copy.to_netcdf(tmp_path / "copy.nc", engine="h5netcdf")
    assert (
        bs.Posterior.load(tmp_path / "copy.nc").summary().equals(bs.Posterior.load(file).summary())
    )


def test_a_stack_saves_and_loads_like_a_posterior(stacked: bs.Stack, tmp_path: Path) -> None:
    path = stacked.save(tmp_path / "stack.nc")
    found = bs.Stack.load(path)
    assert json.dumps(found.to_dict()) == json.dumps(stacked.to_dict())
    assert_frame_equal(found.summary(), stacked.summary())
    at: dict[str, Any] = {"N": 1e9, "D": [1e10, 1e11], "force": True}
    np.testing.assert_array_equal(found.predict(**at).draws, stacked.predict(**at).draws)
    plans = [bs.plan(one, compute=1e20, force=True).summary() for one in (stacked, found)]
    assert_frame_equal(*plans)
    assert isinstance(load_saved(path), bs.Stack)


def test_a_stack_and_a_posterior_point_to_each_other_s_reader(
    stacked: bs.Stack, file: Path, tmp_path: Path
) -> None:
    path = stacked.save(tmp_path / "stack.nc")
    with pytest.raises(PosteriorFileError, match=r"holds a stack.*bayescale\.Stack\.load"):
        bs.Posterior.load(path)
    with pytest.raises(PosteriorFileError, match=r"holds a posterior.*bayescale\.Posterior\.load"):
        bs.Stack.load(file)
    assert isinstance(load_saved(file), bs.Posterior)


def rewritten(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The same file, as another program would write it, with a change in what it says."""
    with xr.open_datatree(source, engine="h5netcdf") as tree:
        copy = tree.load()
    about = json.loads(copy.attrs["bayescale"])
    change(about)
    copy.attrs["bayescale"] = json.dumps(about)
    copy.to_netcdf(target, engine="h5netcdf")
    return target


def test_a_newer_schema_gets_its_sentence(file: Path, tmp_path: Path) -> None:
    path = rewritten(file, tmp_path / "new.nc", lambda about: about.update(format=4))
    with pytest.raises(
        PosteriorFileError, match=r"of schema 4, but .* reads 2, 3; install a newer"
    ):
        bs.Posterior.load(path)
    path = rewritten(file, tmp_path / "odd.nc", lambda about: about.update(format="x"))
    with pytest.raises(PosteriorFileError, match="of schema x"):
        bs.Posterior.load(path)


@pytest.mark.parametrize("part", ["model", "diagnosis", "record"])
@pytest.mark.parametrize("wrong", [None, 3, "x", ["a"], {}])
def test_a_part_that_is_damaged_gets_a_sentence(
    file: Path, tmp_path: Path, part: str, wrong: object
) -> None:
    if (part, wrong) in (("diagnosis", {}), ("record", {})):
        pytest.skip("nothing is missing then")
    path = rewritten(file, tmp_path / "x.nc", lambda about: about.update({part: wrong}))
    with pytest.raises(PosteriorFileError, match="cannot be used"):
        bs.Posterior.load(path)


def test_missing_draws_get_a_sentence(file: Path, tmp_path: Path) -> None:
    with xr.open_datatree(file, engine="h5netcdf") as tree:
        copy = tree.load()
    copy["posterior"] = xr.DataTree(copy["posterior"].to_dataset().drop_vars("alpha"))
    copy.to_netcdf(tmp_path / "less.nc", engine="h5netcdf")
    with pytest.raises(PosteriorFileError, match="'alpha' is missing; fit again"):
        bs.Posterior.load(tmp_path / "less.nc")


def test_any_flipped_bit_or_missing_end_is_a_sentence_or_changes_nothing(
    small: bs.Posterior, tmp_path: Path
) -> None:
    path = small.save(tmp_path / "fit.nc")
    whole, told = path.read_bytes(), json.dumps(small.to_dict())
    rng = np.random.default_rng(0)
    refused = 0
    end = range(8 * (len(whole) - 73), 8 * len(whole), 7)
    places = [*rng.integers(0, 8 * len(whole), 150), *end]
    cuts = [0, 1, 73, 1000, *(len(whole) - np.array([1, 72, 73, 74, 1000]))]
    for place in places:
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        path.write_bytes(content)
        refused += outcome(path, told)
    for cut in cuts:
        path.write_bytes(whole[:cut])
        refused += outcome(path, told)
    assert refused > 150


def outcome(path: Path, told: str) -> bool:
    """Whether a file is refused; it gives the same numbers if it is not."""
    try:
        found = bs.Posterior.load(path)
    except PosteriorFileError:
        return True
    assert json.dumps(found.to_dict()) == told
    return False


def test_a_full_disk_leaves_the_old_file_and_no_crash(
    small: bs.Posterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small.save(tmp_path / "fit.nc")
    before = path.read_bytes()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.write", full)
        with pytest.raises(OutputError, match="its disk is full"):
            small.save(path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["fit.nc"]


def test_a_folder_that_went_away_gets_its_sentence(small: bs.Posterior, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    shutil.rmtree(folder)
    with pytest.raises(OutputError, match="there is no such folder"):
        small.save(folder / "fit.nc")
