"""The lowest versions that `pyproject.toml` promises are enough: they are installed and used.

`python tests/test_lowest_versions.py` does so outside of pytest; it needs `uv` and a package index.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
EVERY_VERB = """
import subprocess, sys, warnings
from pathlib import Path
import numpy as np
import bayescale as bs

warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
model = bs.Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10})
rng = np.random.default_rng(0)
design = {"N": 1e8 * np.exp(rng.uniform(-3, 3, 40)), "D": 1e10 * np.exp(rng.uniform(-3, 3, 40))}
at = {"sigma": 0.003, "nu": 6.0, "alpha": 0.34, "beta": 0.3, "floor_fraction": 0.6}
frame = model.simulate(design, seed=0, coordinates=at).runs.table[["N", "D", "loss"]]
frame.to_csv(folder / "runs.csv", index=False)
frame.to_parquet(folder / "runs.parquet")
runs = bs.read_runs(folder / "runs.csv")
assert len(bs.read_runs(folder / "runs.parquet")) == len(runs) == 40
laplace = bs.fit(runs, "chinchilla", engine="laplace")
nuts = bs.fit(runs, "share", draws=300, chains=2)
bs.fit(runs, "chinchilla", engine="pymc", draws=200, chains=2)
bs.fit_many([runs, runs], "chinchilla")
laplace.save(folder / "fit.nc")
assert bs.Posterior.load(folder / "fit.nc").summary().equals(laplace.summary())
bs.stack({"a": laplace, "b": nuts}, by="equal").save(folder / "stack.nc")
bs.Stack.load(folder / "stack.nc").predict(N=1e9, D=1e10, force=True)
bs.compare({"a": laplace, "b": nuts}, by="loo", force=True)
laplace.outliers()
bs.plan(laplace, compute=1e20, force=True)
bs.check("chinchilla")
bs.plots.save(bs.plots.fit(laplace, force=True), folder / "fit.png")
bs.simulate_dmft(folder / "d.parquet", a=1.5, b=1.2, N=[20], t=[1.0, 10.0], draws=2, modes=30)
for command in (
    ["fit", folder / "runs.csv", "--engine", "laplace", "-o", folder / "cli.nc"],
    ["plan", folder / "cli.nc", "--compute", "1e20", "-o", folder / "plan.png"],
    ["laws"],
    ["--help"],
):
    subprocess.run([sys.executable, "-m", "bayescale", *map(str, command)], check=True)
"""


def install_and_use(uv: str, folder: Path) -> None:
    """Install exactly the lowest versions in a new environment, and call every verb there."""
    python = folder / "venv" / "bin" / "python"
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    asked = [uv, "pip", "install", "--python", python, "--resolution", "lowest-direct", REPOSITORY]
    subprocess.run([uv, "venv", "--python", sys.executable, folder / "venv"], check=True, env=kept)
    subprocess.run(asked, check=True, env=kept)
    subprocess.run([python, "-c", EVERY_VERB, folder], check=True, cwd=folder, env=kept)


@pytest.mark.slow
def test_the_lowest_versions_promised_are_enough(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv, which can choose lowest versions, is not installed")
    install_and_use(uv, tmp_path)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        install_and_use(shutil.which("uv") or sys.exit("install uv first"), Path(scratch))
