"""How accurate and how fast the solver of the randomly projected linear model is, by device.

    python tests/benchmarks/dmft.py                      # 1e3 and 1e5 points, and the oracles
    python tests/benchmarks/dmft.py --points 10000000    # for GPUs

A point is one (N, P, t); fifty times over three decades share a pair (N, P), M is infinite. Needs
JAX, NumPy and SymPy only. The baselines are the solution by T x T matrices in time, by frequencies
on a vertical line, and Monte Carlo.
"""

import argparse
import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "test_theory" / "learning")]

import dmft_oracles as oracles  # noqa: E402

from theory.learning import dmft, simulate  # noqa: E402
from theory.learning.dmft.contour import Nodes, bilinear  # noqa: E402
from theory.learning.dmft.evaluate import at_nodes, kernels, setting_of  # noqa: E402
from theory.learning.spectrum import PowerLaw  # noqa: E402

jax.config.update("jax_enable_x64", True)

TIMES = 50
REACH, ORDER, NODES, ACCURACY = 2**20, 6, 36, 3e-6


def best(name: str, function: Any, *arguments: Any, repeats: int) -> dict[str, float]:
    """Median time on the clock and of the processor, once compiled."""
    jax.block_until_ready(function(*arguments))
    found = []
    for _ in range(repeats):
        started = time.perf_counter(), time.process_time()
        jax.block_until_ready(function(*arguments))
        found.append([time.perf_counter() - started[0], time.process_time() - started[1]])
    clock, processor = np.median(found, axis=0)
    return {f"{name}_s": float(clock), f"{name}_cpu_s": float(processor)}


def curves(a: Any, b: Any, N: Any, P: Any, t: Any, *, chunk: int | None) -> Any:
    task = PowerLaw(a, b, reach=REACH, order=ORDER)
    return dmft.loss_curves(task, N, P, t, 0.01, nodes=NODES, accuracy=ACCURACY, chunk=chunk)[0]


def speed(points: int, chunk: int) -> dict[str, Any]:
    pairs = points // TIMES
    rng = np.random.default_rng(0)
    N, P = (jnp.asarray(10 ** rng.uniform(2, 4, pairs)) for _ in range(2))
    t = jnp.asarray(np.tile(np.geomspace(1, 1000, TIMES), (pairs, 1)))
    value = jax.jit(partial(curves, chunk=chunk))

    def total(*arguments: Any) -> Any:
        return jnp.sum(jnp.log(curves(*arguments, chunk=chunk)))

    gradient = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2, 3)))
    arguments = (1.5, 1.25, N, P, t)
    repeats = 15 if points <= 10_000 else 2
    some = slice(0, 20)
    exact = dmft.loss_curves(
        PowerLaw(1.5, 1.25, reach=2**24, order=16), N[some], P[some], t[some], 0.01,
        nodes=96, accuracy=1e-13,
    )[0]  # fmt: skip
    error = jnp.max(jnp.abs(value(*arguments)[some] / exact - 1))
    return {
        "points": points,
        **best("value", value, *arguments, repeats=repeats),
        **best("gradient", gradient, *arguments, repeats=repeats),
        "largest_relative_error": float(error),
    }


def against_matrices() -> dict[str, Any]:
    k = np.arange(1.0, 31.0)
    lam, p = k**-1.25, k**-1.5
    started = time.perf_counter()
    want = oracles.time_domain(lam, p, N=8, P=12, noise=0.1, learning_rate=0.5, steps=100)
    seconds = time.perf_counter() - started
    ask = partial(
        dmft.loss, PowerLaw(1.5, 1.25, modes=30), 8, 12, np.arange(101.0), noise=0.1,
        dynamics=dmft.GradientDescent(0.5), accuracy=1e-10,
    )  # fmt: skip
    got = ask().value
    started = time.perf_counter()
    ask()
    return {
        "steps": 100,
        "matrices_s": seconds,
        "solver_s": time.perf_counter() - started,
        "largest_relative_gap": float(np.max(np.abs(got / want[0] - 1))),
    }


def against_frequencies(count: int = 1500, t: float = 20.0) -> dict[str, Any]:
    """The same closed form by frequencies on the line Re z = 1/t, up to 30 over the step."""
    task, N, P = PowerLaw(1.5, 1.25, reach=2**14), 100.0, 300.0
    exact = dmft.loss(task, N, P, t, accuracy=1e-10).value
    started = time.perf_counter()
    step = 30.0 / count
    z = jnp.asarray(1 / t + 1j * step * (np.arange(count) + 0.5))[None]
    inverse = jnp.asarray([1 / N]), jnp.asarray([1 / P])
    one, _, _ = at_nodes(task, Nodes(z, z), *inverse, follow=True)
    setting = setting_of(*inverse, 0.0)
    same, across = kernels(one, "test", setting)
    v = (step / (2 * np.pi) * jnp.exp(z * t) / z)[:, None]
    found = float(bilinear(same, across, v, v)[0, 0])
    return {
        "frequencies": count,
        "seconds": time.perf_counter() - started,
        "relative_error": abs(found / float(exact) - 1),
    }


def against_draws(draws: int = 60) -> dict[str, Any]:
    """Finite models, whose error is that of their number, and what it takes to reach 1e-3."""
    task, t = PowerLaw(1.5, 1.25, modes=400), np.geomspace(1, 1000, 50)
    ask = partial(simulate.losses_by_draw, task, N=48, P=96, t=t)
    ask(draws=draws, first=draws)
    started = time.process_time(), time.perf_counter()
    found = simulate.summarise(ask(draws=draws), 0)
    cpu, seconds = time.process_time() - started[0], time.perf_counter() - started[1]
    error = float(np.max(found.standard_error / found.mean))
    dmft.loss(task, 48, 96, t)
    started = time.process_time(), time.perf_counter()
    theory = dmft.loss(task, 48, 96, t)
    return {
        "draws": draws,
        "seconds": seconds,
        "cpu_s": cpu,
        "largest_relative_standard_error": error,
        "cpu_s_to_1e-3": cpu * (error / 1e-3) ** 2,
        "largest_relative_gap_to_theory": float(np.max(np.abs(found.mean / theory.value - 1))),
        "solver_cpu_s": time.process_time() - started[0],
        "solver_s": time.perf_counter() - started[1],
        "solver_estimated_error": theory.stats.estimated_error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, action="append", help="default: 1000 and 100000")
    parser.add_argument("--chunk", type=int, default=2048, help="pairs at a time")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--no-oracles", action="store_true")
    asked = parser.parse_args()
    device = jax.devices()[0]
    result: dict[str, Any] = {"device": device.device_kind, "platform": device.platform}
    result["speed"] = [speed(n, asked.chunk) for n in asked.points or (1000, 100_000)]
    if not asked.no_oracles:
        result["matrices"] = against_matrices()
        result["frequencies"] = against_frequencies()
        result["draws"] = against_draws()
    text = json.dumps(result, indent=2)
    print(text)
    if asked.save:
        name = device.device_kind.lower().replace(" ", "-")
        folder = Path(__file__).parent / "results"
        folder.mkdir(exist_ok=True)
        (folder / f"dmft-{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
