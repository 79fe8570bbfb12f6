"""A teacher on a sphere, and students of it: multilayer perceptrons trained many at a time.

The inputs are uniform on the unit sphere of intrinsic dimension `DIMENSION`, the labels are a wide
random network's and hold no noise. All students of one width and seed, one for each number of
examples, are trained by one compiled program.
"""

import functools
import itertools
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

DIMENSION = 4  # of the sphere, in DIMENSION + 1 coordinates
TEACHER_WIDTH = 512
BASE_WIDTH = 16  # the width at which hidden matrices learn at exactly the run's rate
BATCH = 512  # examples per step, drawn with replacement
WARMUP = 0.05  # share of the steps spent raising the learning rate from zero
ADAM = (0.9, 0.99, 1e-10)
TEST_COUNT = 2**15

Params = dict[str, jax.Array]
Losses = NDArray[np.float64]


@dataclass(frozen=True)
class Task:
    """The examples of a seed, and the test set that all seeds share.

    Parameters
    ----------
    inputs, labels
        Training examples, shapes ``(example, coordinate)`` and ``(example,)``; the first D of them
        are the examples of a run of size D.
    test_inputs, test_labels
        The same for the test set.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.float32]
    test_inputs: NDArray[np.float32]
    test_labels: NDArray[np.float64]


def sphere(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw points uniformly on the sphere, scaled so that each coordinate has variance 1.

    Parameters
    ----------
    count
        How many.
    rng
        The generator.

    Returns
    -------
    NDArray[np.float64]
        Shape ``(count, DIMENSION + 1)``.
    """
    points = rng.normal(size=(count, DIMENSION + 1))
    return np.sqrt(DIMENSION + 1) * points / np.linalg.norm(points, axis=1, keepdims=True)


def teach(inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The teacher's output: two hidden layers of ReLU units with random weights and biases.

    Parameters
    ----------
    inputs
        Shape ``(example, DIMENSION + 1)``.

    Returns
    -------
    NDArray[np.float64]
        Shape ``(example,)``, not yet centred and scaled.
    """
    rng = np.random.default_rng([DIMENSION, TEACHER_WIDTH])
    sizes = (inputs.shape[1], TEACHER_WIDTH, TEACHER_WIDTH)
    hidden = inputs
    for before, after in itertools.pairwise(sizes):
        weights = rng.normal(0, np.sqrt(2 / before), (before, after))
        hidden = np.maximum(hidden @ weights + rng.normal(0, 0.5, after), 0)
    return hidden @ rng.normal(0, TEACHER_WIDTH**-0.5, TEACHER_WIDTH)


@functools.cache
def _draw_test(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    inputs = sphere(count, np.random.default_rng([0, 1]))
    return inputs, teach(inputs)


@functools.cache
def draw_task(seed: int, count: int, test_count: int = TEST_COUNT) -> Task:
    """Draw the examples of a seed; labels have mean 0 and variance 1 over the test set.

    Parameters
    ----------
    seed
        Seed of the training examples.
    count
        How many of them.
    test_count
        Size of the test set, which is the same for all seeds.

    Returns
    -------
    Task
        The examples.
    """
    test_inputs, raw = _draw_test(test_count)
    centre, scale = raw.mean(), raw.std()
    inputs = sphere(count, np.random.default_rng([seed, 2]))
    labels = (teach(inputs) - centre) / scale
    return Task(
        inputs.astype(np.float32),
        labels.astype(np.float32),
        test_inputs.astype(np.float32),
        (raw - centre) / scale,
    )


def parameter_count(width: int) -> int:
    """Weights and biases of a student, all of which are trained.

    Parameters
    ----------
    width
        Units of each of the two hidden layers.

    Returns
    -------
    int
        ``(DIMENSION + 2) width + (width + 1) width + width + 1``.
    """
    return (DIMENSION + 2) * width + (width + 1) * width + width + 1


def init_params(width: int, seed: int) -> Params:
    """Draw the initial weights of a student; its output starts at zero.

    Parameters
    ----------
    width
        Units of each hidden layer.
    seed
        Seed of the draw.

    Returns
    -------
    Params
        Weights and biases of three layers.
    """
    rng = np.random.default_rng([seed, width, 3])

    def normal(before: int, *after: int) -> jax.Array:
        return jnp.asarray(rng.normal(0, np.sqrt(2 / before), (before, *after)), jnp.float32)

    fan = DIMENSION + 1
    biases = jnp.asarray(rng.normal(0, 0.5, width), jnp.float32)
    weights = {"in": normal(fan, width), "in_bias": biases, "hidden": normal(width, width)}
    zeros = {"hidden_bias": jnp.zeros(width), "out": jnp.zeros(width), "out_bias": jnp.zeros(())}
    return weights | {name: zero.astype(jnp.float32) for name, zero in zeros.items()}


def predict(params: Params, inputs: jax.Array) -> jax.Array:
    """The student's output, shape ``(example,)``."""
    hidden = jax.nn.relu(inputs @ params["in"] + params["in_bias"][None])
    hidden = jax.nn.relu(hidden @ params["hidden"] + params["hidden_bias"][None])
    return hidden @ params["out"] + params["out_bias"]


def squared_error(params: Params, inputs: jax.Array, labels: jax.Array) -> jax.Array:
    """Mean squared error of a student, a scalar."""
    return jnp.mean((predict(params, inputs) - labels) ** 2)


def rates(width: int) -> dict[str, float]:
    """Learning rate of each array, in the run's; that of sums over the width is inverse to it.

    Parameters
    ----------
    width
        Units of each hidden layer.

    Returns
    -------
    dict[str, float]
        By name of the array.

    References
    ----------
    Yang et al. (2022), Tensor Programs V, arXiv:2203.03466, table 3 (Adam).
    """
    share = BASE_WIDTH / width
    shared = dict.fromkeys(("in", "in_bias", "hidden_bias", "out_bias"), 1.0)
    return shared | {"hidden": share, "out": share}


def schedule(steps: int) -> NDArray[np.float32]:
    """Share of the peak rate at each step: linear warm-up, then half a cosine to zero.

    Parameters
    ----------
    steps
        Length of the run.

    Returns
    -------
    NDArray[np.float32]
        One share a step.
    """
    at = np.arange(1, steps + 1, dtype=np.float64)
    warm = max(1, round(WARMUP * steps))
    cosine = 0.5 * (1 + np.cos(np.pi * np.clip((at - warm) / (steps + 1 - warm), 0, 1)))
    return np.minimum(at / warm, cosine).astype(np.float32)


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, 0, 0, 0, 0, None))
@functools.partial(jax.vmap, in_axes=(0, None, None, None, None, None))
def _train(
    size: jax.Array,
    key: jax.Array,
    start: Params,
    inputs: jax.Array,
    labels: jax.Array,
    schedule: jax.Array,
) -> Params:
    """Weights after Adam at the rates `schedule`, with leading axes of seeds and of sizes."""
    b1, b2, eps = ADAM
    scales = rates(start["out"].shape[0])

    def step(
        state: tuple[Params, Params, Params], now: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[Params, Params, Params], None]:
        params, first, second = state
        count, rate = now
        rows = jax.random.randint(jax.random.fold_in(key, count), (BATCH,), 0, size)
        slope = jax.grad(squared_error)(params, inputs[rows], labels[rows])
        first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, first, slope)
        second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, second, slope)
        rate = rate * jnp.sqrt(1 - b2**count) / (1 - b1**count)
        params = {
            name: weight - rate * scales[name] * first[name] / (jnp.sqrt(second[name]) + eps)
            for name, weight in params.items()
        }
        return (params, first, second), None

    zeros = jax.tree.map(jnp.zeros_like, start)
    counts = jnp.arange(1, len(schedule) + 1)
    return jax.lax.scan(step, (start, zeros, zeros), (counts, schedule))[0][0]


@jax.jit
@functools.partial(jax.vmap, in_axes=(0, 0))
@functools.partial(jax.vmap, in_axes=(0, None))
def _predict_all(params: Params, inputs: jax.Array) -> jax.Array:
    """Outputs of each seed's and size's student at the inputs of the seed, block by block."""
    blocks = inputs.reshape(-1, BATCH, inputs.shape[1])
    return jax.lax.map(functools.partial(predict, params), blocks).ravel()


@dataclass(frozen=True)
class Ladder:
    """Students of one width: a run for each seed and each number of examples.

    Parameters
    ----------
    width
        Units of each of the two hidden layers.
    seeds
        Seeds of the initial weights, the examples and the batches. The runs of a seed share
        weights and batches' places, and a larger number of examples extends a smaller one.
    sizes
        Numbers of examples.
    steps
        Steps of Adam.
    lr
        Peak learning rate of the first layer and the biases, see `rates`.
    """

    width: int
    seeds: tuple[int, ...]
    sizes: tuple[int, ...]
    steps: int
    lr: float


def train(ladder: Ladder, test_count: int = TEST_COUNT) -> tuple[Losses, Losses]:
    """Train all students of a width in one program.

    Parameters
    ----------
    ladder
        What to train.
    test_count
        Size of the test set, a multiple of `BATCH`.

    Returns
    -------
    Losses, Losses
        Mean squared error on the test set and on the examples of the run, of shape
        ``(seed, size)``.
    """
    padded = -(-max(ladder.sizes) // BATCH) * BATCH
    tasks = [draw_task(seed, padded, test_count) for seed in ladder.seeds]
    starts = [init_params(ladder.width, seed) for seed in ladder.seeds]
    inputs = jnp.stack([task.inputs for task in tasks])
    # Without this, matrix products on a GPU round to 10 bits, an error above the smallest losses.
    with jax.default_matmul_precision("highest"):
        params = _train(
            jnp.asarray(ladder.sizes, jnp.int32),
            jnp.stack([jax.random.key(seed) for seed in ladder.seeds]),
            jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts),
            inputs,
            jnp.stack([task.labels for task in tasks]),
            jnp.asarray(ladder.lr * schedule(ladder.steps)),
        )
        test_inputs = jnp.stack([task.test_inputs for task in tasks])
        test = np.asarray(_predict_all(params, test_inputs), np.float64)
        seen = np.asarray(_predict_all(params, inputs), np.float64)
    test_loss = np.mean((test - tasks[0].test_labels) ** 2, axis=2)
    errors = (seen - np.stack([task.labels for task in tasks])[:, None]) ** 2
    train_loss = [errors[:, at, :size].mean(1) for at, size in enumerate(ladder.sizes)]
    return test_loss, np.stack(train_loss, axis=1)
