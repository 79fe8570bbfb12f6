"""The transition of `bayescale.engines.batch` against BlackJAX's HMC kernel, on the same tables.

    pip install blackjax==1.7.1      # needed here only
    python tests/benchmarks/hmc_kernel.py --tables 64 > tests/benchmarks/hmc_kernel.json

Both make the same number of leapfrog steps with the same step size in the same whitened
coordinates, drawn anew at each draw; what differs is who wrote the transition. Printed: CPU seconds
to compile and to draw, acceptance, effective draws a CPU second, and the largest difference of
posterior means in their Monte Carlo errors.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from batch import lanes

from bayescale.diagnosis import convergence
from bayescale.engines import batch
from bayescale.engines.batch.kernel import State, trajectory
from bayescale.engines.batch.whitening import Whitening

DRAWS, STEP, STEPS = 500, 0.4, (5, 16)


def ours(tables: Any, lanes: batch.Lanes, start: Any) -> Any:
    value, slope = tables(start)
    log_step = jnp.full(start.shape[0], np.log(STEP))
    zero = jnp.zeros_like(log_step)

    def advance(state: State, index: Any) -> Any:
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(lanes.keys, index)
        count = jax.random.randint(jax.random.fold_in(jax.random.key(0), index), (), *STEPS)
        state, seen = trajectory(tables, state, keys, count)
        return state, (state.z, seen["acceptance_rate"])

    begin = State(start, value, slope, log_step, zero, log_step, log_step)
    return jax.lax.scan(advance, begin, jnp.arange(DRAWS))[1]


def theirs(log_density: Any, lanes: batch.Lanes, whitening: Whitening, start: Any) -> Any:
    from blackjax.mcmc import hmc

    kernel, size = hmc.build_kernel(), start.shape[-1]

    def one(key: Any, state: Any, count: Any, centre: Any, factor: Any, seen: Any, numbers: Any):
        def density(z: Any) -> Any:
            return log_density(centre + factor @ z, seen, numbers)

        return kernel(key, state, density, STEP, jnp.ones(size), count)

    chains = jax.vmap(one, in_axes=(0, 0, None, None, None, None, None))
    tables = jax.vmap(chains, in_axes=(0, 0, None, 0, 0, 0, 0))

    def begin(z: Any, centre: Any, factor: Any, seen: Any, numbers: Any) -> Any:
        return hmc.init(z, lambda at: log_density(centre + factor @ at, seen, numbers))

    first = jax.vmap(jax.vmap(begin, in_axes=(0, None, None, None, None)))(
        start, *whitening, lanes.observed, lanes.numbers
    )

    def advance(state: Any, index: Any) -> Any:
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(lanes.keys, index)
        each = jax.vmap(lambda key: jax.random.split(key, start.shape[1]))(keys)
        count = jax.random.randint(jax.random.fold_in(jax.random.key(0), index), (), *STEPS)
        state, info = tables(each, state, count, *whitening, lanes.observed, lanes.numbers)
        return state, (state.position, info.acceptance_rate)

    return jax.lax.scan(advance, first, jnp.arange(DRAWS))[1]


def timed(function: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    found = jax.block_until_ready(function())
    return found, time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=64)
    count = parser.parse_args().tables
    jax.config.update("jax_enable_x64", True)
    density, stacked = lanes(count)
    form = density.form
    draws = batch.sample(density, stacked).positions
    flat = draws.reshape(count, -1, draws.shape[-1])
    factor = np.stack([np.linalg.cholesky(np.cov(one.T)) for one in flat])
    whitening = Whitening(jnp.asarray(flat.mean(axis=1)), jnp.asarray(factor))
    arrays = jax.tree.map(jnp.asarray, stacked)
    start = whitening.whitened(jnp.asarray(draws[:, :, -1]))

    def log_density(at: Any, observed: Any, numbers: Any) -> Any:
        return form.log_density(at, observed, numbers=numbers)

    def whitened(z: Any, centre: Any, factor: Any, observed: Any, numbers: Any) -> Any:
        return log_density(centre + factor @ z, observed, numbers)

    chains = jax.vmap(jax.value_and_grad(whitened), in_axes=(0, None, None, None, None))
    both = jax.vmap(chains)
    programs = {
        "ours": jax.jit(
            lambda arrays, start: ours(
                lambda z: both(z, *whitening, arrays.observed, arrays.numbers), arrays, start
            )
        ),
        "blackjax": jax.jit(lambda arrays, start: theirs(log_density, arrays, whitening, start)),
    }
    command = f"python tests/benchmarks/hmc_kernel.py --tables {count}"
    out: dict[str, Any] = {"command": command, "tables": count, "draws": DRAWS}
    means = {}
    for name in ("ours", "blackjax", "ours", "blackjax"):  # in turn, since the machine is noisy
        program = partial(programs[name], arrays, start)
        _, first = timed(program)
        (z, accepted), again = timed(program)
        chains_of = np.moveaxis(np.asarray(z), 0, 2)  # (table, chain, draw, coordinate)
        sizes = np.stack([convergence(one)[1] for one in chains_of])
        means[name] = (chains_of.mean(axis=(1, 2)), chains_of.std(axis=(1, 2)) / np.sqrt(sizes))
        known = out.get(name, {"compile_and_draw_s": first, "draw_s": again})
        out[name] = {
            "compile_and_draw_s": round(max(first, known["compile_and_draw_s"]), 2),
            "draw_s": round(min(again, known["draw_s"]), 2),
            "acceptance": round(float(np.mean(accepted)), 4),
            "median_least_ess": round(float(np.median(sizes.min(axis=1))), 1),
        }
    (a, ea), (b, eb) = means["ours"], means["blackjax"]
    out["largest_z"] = round(float(np.max(np.abs(a - b) / np.hypot(ea, eb))), 2)
    out["ratio_blackjax_to_ours"] = round(out["blackjax"]["draw_s"] / out["ours"]["draw_s"], 3)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
