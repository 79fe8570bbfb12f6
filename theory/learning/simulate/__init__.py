"""Finite random-feature models drawn and trained: the Monte Carlo that `dmft` must match.

A student ``f(psi) = w . A psi/sqrt(N)`` with a fixed random projection A learns a teacher ``w*``
from P noisy samples. Every run is evolved exactly: one singular value decomposition a draw gives
any time of any linear method. Teacher and label noise are averaged by hand, so that draws differ
in the projection and the samples only. See `theory.learning.simulate.spectral` for the formula.
"""

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from jaxtyping import Float64

from theory.errors import TheoryError, did_you_mean
from theory.learning.dmft.dynamics import AbstractDynamics, GradientFlow
from theory.learning.simulate.averaged import OneDraw, Simulated, by_draw, summarise
from theory.learning.simulate.experiment import OBSERVABLES, Arrays, Crossed, FullBatch, Responses
from theory.learning.simulate.modes import every_mode
from theory.learning.simulate.online import DirectSteps, MomentRecursion
from theory.learning.task import AbstractTask

__all__ = ["Simulated", "cross_loss", "loss", "losses_by_draw", "mode_response", "summarise"]

FLOW = GradientFlow()

SHARED = ("nothing", "data", "projection", "everything")
"""What two members of an ensemble may have in common."""


def loss(
    task: AbstractTask,
    *,
    N: float,
    P: float = math.inf,
    t: float | Sequence[float] | np.ndarray,
    noise: float = 0.0,
    dynamics: AbstractDynamics = FLOW,
    observable: str = "test",
    draws: int = 200,
    seed: int = 0,
    direct: bool = False,
) -> Simulated:
    """Mean loss over drawn models.

    ``E (y - f)^2`` with the label noise and without a factor 1/2, as in
    `theory.learning.dmft.loss`, which has the same arguments.

    Parameters
    ----------
    task
        A task with finitely many modes, such as ``PowerLaw(a, b, modes=500)``.
    N, P
        Features and samples; `math.inf` is simulated exactly (population gradient, or no
        projection).
    t
        Times, or numbers of steps; of the shape of the result.
    noise
        Variance of the label noise, ``sigma^2``.
    dynamics
        Any method of `theory.learning.dmft`; of one-pass stochastic gradient descent P must be
        infinite.
    observable
        ``"test"``, ``"train"``, or ``"gap"``, test less train.
    draws, seed
        Number of draws and their seed.
    direct
        Of stochastic gradient descent: run the steps with drawn batches instead of the exact
        recursion of second moments.

    Returns
    -------
    Simulated

    Raises
    ------
    TheoryError
        If an argument is out of its range, the task has infinitely many modes, or the dynamics
        diverged.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> task = PowerLaw(1.5, 1.25, modes=100)
    >>> found = loss(task, N=16, P=32, t=[0.0, 10.0], draws=20)
    >>> bool(abs(found.mean[0] - sum(k**-1.5 for k in range(1, 101))) < 1e-12)
    True
    >>> bool(0 < found.mean[1] < found.mean[0])
    True
    """
    values = losses_by_draw(
        task,
        N=N,
        P=P,
        t=t,
        noise=noise,
        dynamics=dynamics,
        observable=observable,
        draws=draws,
        seed=seed,
        direct=direct,
    )
    return summarise(values, seed)


def losses_by_draw(
    task: AbstractTask,
    *,
    N: float,
    P: float = math.inf,
    t: float | Sequence[float] | np.ndarray,
    noise: float = 0.0,
    dynamics: AbstractDynamics = FLOW,
    observable: str = "test",
    draws: int = 200,
    seed: int = 0,
    direct: bool = False,
    first: int = 0,
) -> Float64[np.ndarray, "draw *shape"]:
    """Losses of draws ``first ... first + draws - 1``, each the same however many are asked for.

    Parameters
    ----------
    task, N, P, t, noise, dynamics, observable, draws, seed, direct
        As for `loss`.
    first
        The first draw.

    Raises
    ------
    TheoryError
        As for `loss`.
    """
    if observable not in OBSERVABLES:
        raise TheoryError(f"no observable '{observable}'.{did_you_mean(observable, OBSERVABLES)}")
    sizes = _size("N", N), _size("P", P)
    batch = getattr(dynamics, "batch", None)
    if batch is None:
        if direct:
            raise TheoryError(
                "direct=True runs stochastic gradient descent step by step; every other method is "
                "evolved exactly, so leave it out."
            )
        one: OneDraw = FullBatch(*sizes, observable)
    else:
        if sizes[1] is not None or observable != "test":
            raise TheoryError(
                "one-pass stochastic gradient descent sees fresh samples at every step, so P must "
                f"be math.inf and the observable 'test'; got P={P} and '{observable}'."
            )
        kind = DirectSteps if direct else MomentRecursion
        steps = tuple(int(time) for time in _times(t, dynamics))
        one = kind(sizes[0], steps, float(cast(Any, dynamics).learning_rate), int(batch))
    deterministic = sizes == (None, None) and not direct
    return _values(one, task, sizes, noise, t, dynamics, first, draws, seed, deterministic)


def cross_loss(
    task: AbstractTask,
    *,
    shared: str,
    N: float,
    P: float = math.inf,
    t: float | Sequence[float] | np.ndarray,
    noise: float = 0.0,
    dynamics: AbstractDynamics = FLOW,
    draws: int = 200,
    seed: int = 0,
) -> Simulated:
    """``E (y - f_1)(y - f_2)`` of two members of an ensemble.

    The loss of the mean of E members is ``loss/E + (1 - 1/E) cross_loss``.

    Parameters
    ----------
    task, N, P, t, noise, dynamics, draws, seed
        As for `loss`.
    shared
        ``"data"`` (own projections), ``"projection"`` (own samples), ``"nothing"``, or
        ``"everything"``, which is the loss.

    Raises
    ------
    TheoryError
        As for `loss`; and if there is no such way to share.
    """
    if shared not in SHARED:
        raise TheoryError(f"members cannot share '{shared}'.{did_you_mean(shared, SHARED)}")
    if hasattr(dynamics, "batch"):
        raise TheoryError(
            "cross terms are simulated of full-batch methods only; got stochastic gradient descent."
        )
    sizes = _size("N", N), _size("P", P)
    one = Crossed(
        *sizes,
        same_projection=shared in ("projection", "everything"),
        same_samples=shared in ("data", "everything"),
    )
    values = _values(one, task, sizes, noise, t, dynamics, 0, draws, seed, sizes == (None, None))
    return summarise(values, seed)


def mode_response(
    task: AbstractTask,
    *,
    modes: Sequence[int],
    N: float,
    P: float = math.inf,
    t: float | Sequence[float] | np.ndarray,
    dynamics: AbstractDynamics = FLOW,
    draws: int = 200,
    seed: int = 0,
) -> Simulated:
    """``H_k(t) = E v_k(t)/w*_k``: the part of the teacher's mode k that is not yet learned.

    Parameters
    ----------
    task, N, P, t, dynamics, draws, seed
        As for `loss`.
    modes
        Which modes, counted from 1.

    Returns
    -------
    Simulated
        With a last axis over `modes`.

    Raises
    ------
    TheoryError
        As for `loss`; and if a mode is not one of the task.
    """
    if hasattr(dynamics, "batch"):
        raise TheoryError(
            "responses are simulated of full-batch methods only; got stochastic gradient descent."
        )
    sizes = _size("N", N), _size("P", P)
    count = len(every_mode(task)[0])
    if not modes or not all(isinstance(k, int) and 1 <= k <= count for k in modes):
        raise TheoryError(f"modes are whole numbers from 1 to {count}; got {list(modes)}.")
    one = Responses(*sizes, tuple(modes))
    values = _values(
        one, task, sizes, 0.0, t, dynamics, 0, draws, seed, sizes == (None, None), len(modes)
    )
    return summarise(values, seed)


def _values(
    one: OneDraw,
    task: AbstractTask,
    sizes: tuple[int | None, int | None],
    noise: float,
    t: float | Sequence[float] | np.ndarray,
    dynamics: AbstractDynamics,
    first: int,
    draws: int,
    seed: int,
    fixed: bool,
    *last: int,
) -> np.ndarray:
    eigenvalues, powers = every_mode(task)
    if not 0 <= noise < math.inf:
        raise TheoryError(f"noise is a variance, finite and not negative; got {noise}.")
    modes = len(eigenvalues)
    # Projection and samples, their product with the spectrum, and the two bases.
    finite = [size for size in sizes if size is not None]
    floats = 2 * modes * (sum(finite) + min([*finite, modes])) + math.prod(finite)
    times = np.array(_times(t, dynamics))
    arrays = Arrays(eigenvalues, powers, np.float64(noise), times, dynamics)
    values = by_draw(one, arrays, first=first, draws=draws, seed=seed, floats=floats, fixed=fixed)
    return values.reshape((draws, *np.shape(t), *last))


def _size(name: str, size: float) -> int | None:
    if size == math.inf:
        return None
    if isinstance(size, bool) or not size >= 1 or size != int(size):
        raise TheoryError(f"{name} must be a whole number of at least 1, or math.inf; got {size}.")
    return int(size)


def _times(
    t: float | Sequence[float] | np.ndarray, dynamics: AbstractDynamics
) -> tuple[float, ...]:
    dynamics.check()
    times = tuple(float(time) for time in np.ravel(np.asarray(t, dtype=float)))
    if not times or not all(time >= 0 for time in times):
        raise TheoryError(f"t must hold times of at least 0; got {t}.")
    if dynamics.discrete and not all(time.is_integer() for time in times):
        raise TheoryError(
            f"{type(dynamics).__name__} takes steps, so t must hold whole numbers; got {t}."
        )
    return times
