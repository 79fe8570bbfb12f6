"""Make `posterior_2.nc`: a posterior as 0.1 wrote it, in schema 2, which must keep loading.

Run with bayescale 0.1 (the commit before schema 3) from the repository root:
`python tests/reference/saved/make_saved.py`. Not to be made again: it holds what the old program
wrote. Beside it, `posterior_2.json` holds the summary that the old program printed of it.
"""

from pathlib import Path

import numpy as np

import bayescale as bs

HERE = Path(__file__).parent

if __name__ == "__main__":
    model = bs.Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10})
    rng = np.random.default_rng(0)
    design = {"N": 1e8 * np.exp(rng.uniform(-3, 3, 24)), "D": 1e10 * np.exp(rng.uniform(-3, 3, 24))}
    at = {"sigma": 0.003, "nu": 6.0, "alpha": 0.34, "beta": 0.3, "floor_fraction": 0.6}
    runs = model.simulate(design, seed=0, coordinates=at).runs
    posterior = bs.fit(runs, model, engine="laplace", draws=10, seed=0)
    posterior.save(HERE / "posterior_2.nc")
    told = posterior.predict(N=1e9, D=1e11).summary().to_json(orient="records", double_precision=15)
    (HERE / "posterior_2.json").write_text(told + "\n", encoding="utf-8")
