"""A byte-level decoder-only transformer and one training run of it, for the ladder in `make.py`.

The model is pre-norm (RMSNorm with gains), with rotary positions, GELU feed-forward layers of
width ``4 d_model``, no biases and an untied head. Output projections and the head start at zero,
so every run starts at a loss of ``log 256`` nats per byte. Training is one pass of AdamW.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

VOCAB = 256
CONTEXT = 128  # bytes predicted per sequence; byte 0, which no source file holds, starts each
HIDDEN_WIDTH = 8  # the width at which hidden matrices would learn at exactly the run's `lr`
HEAD_WIDTH = 32  # and the width at which the head would
CHUNK = 16  # steps inside one compiled call
EVAL_BATCH = 32
WEIGHT_DECAY = 0.05
LOGS, EVALUATIONS = 16, 4  # records of a run that is logged, and those with the held-out loss
WARMUP = 0.1  # share of the steps spent raising the learning rate from zero

Params = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """The size of a model.

    Parameters
    ----------
    d_model
        Width of the residual stream.
    n_layer
        Number of blocks, each of one attention and one feed-forward layer.
    n_head
        Attention heads; ``d_model / n_head`` must be even, for the rotary positions.
    """

    d_model: int
    n_layer: int
    n_head: int

    @property
    def n_body(self) -> int:
        """Non-embedding parameters: the blocks and norms, without byte table and head."""
        return self.n_layer * (12 * self.d_model**2 + 2 * self.d_model) + self.d_model

    @property
    def n_total(self) -> int:
        """All parameters: `n_body`, the byte table and the head."""
        return self.n_body + 2 * VOCAB * self.d_model

    @property
    def flops_per_byte(self) -> float:
        """True training FLOPs per byte: six per matrix weight and head weight, plus attention."""
        attention = 12 * self.n_layer * CONTEXT * self.d_model
        return 6.0 * (self.n_body + VOCAB * self.d_model) + attention


@dataclass(frozen=True)
class Run:
    """One training run.

    Parameters
    ----------
    name
        Unique, readable id.
    shape
        The model.
    steps
        Optimiser steps, the length of the learning-rate schedule.
    batch
        Sequences per step.
    lr
        Peak learning rate of the byte table and the norms' gains; that of a hidden matrix is
        ``HIDDEN_WIDTH / d_model`` of it, that of the head ``HEAD_WIDTH / d_model`` of it.
    seed
        Seeds the initial weights and the choice and order of the training sequences.
    """

    name: str
    shape: Shape
    steps: int
    batch: int
    lr: float
    seed: int

    @property
    def n_bytes(self) -> int:
        """Bytes trained on, each of them once."""
        return self.steps * self.batch * CONTEXT

    @property
    def cost(self) -> float:
        """True training FLOPs, for sorting and progress."""
        return self.shape.flops_per_byte * self.n_bytes


def init_params(shape: Shape, seed: int) -> Params:
    """Draw the initial weights of a model.

    Parameters
    ----------
    shape
        The size of the model.
    seed
        Seed of the draw.

    Returns
    -------
    Params
        ``embed``, ``head``, ``norm`` and the list ``blocks``.
    """
    rng = np.random.default_rng([seed, shape.d_model, shape.n_layer])
    d = shape.d_model

    def normal(rows: int, cols: int, scale: float) -> jax.Array:
        return jnp.asarray(rng.normal(0.0, scale, (rows, cols)), jnp.float32)

    blocks = [
        {
            "norm1": jnp.ones(d),
            "qkv": normal(d, 3 * d, d**-0.5),
            "out": jnp.zeros((d, d)),
            "norm2": jnp.ones(d),
            "up": normal(d, 4 * d, d**-0.5),
            "down": jnp.zeros((4 * d, d)),
        }
        for _ in range(shape.n_layer)
    ]
    embed = normal(VOCAB, d, 1.0)
    return {"embed": embed, "blocks": blocks, "norm": jnp.ones(d), "head": jnp.zeros((d, VOCAB))}


def _norm(x: jax.Array, gain: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * gain


def _rotate(x: jax.Array) -> jax.Array:
    """Turn the two halves of each head by angles that grow with position (axis -2)."""
    half = x.shape[-1] // 2
    rates = 1.0 / 1000.0 ** (np.arange(half) / half)
    angle = np.arange(CONTEXT)[:, None] * rates
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    a, b = x[..., :half], x[..., half:]
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def _attend(x: jax.Array, block: Params, n_head: int) -> jax.Array:
    batch, length, d = x.shape
    qkv = (x @ block["qkv"]).reshape(batch, length, 3, n_head, d // n_head)
    q, k, v = qkv.transpose(2, 0, 3, 1, 4)
    scores = _rotate(q) @ _rotate(k).swapaxes(-1, -2) * (d // n_head) ** -0.5
    causal = np.tril(np.ones((length, length), bool))
    mixed = jax.nn.softmax(jnp.where(causal, scores, -1e9), -1) @ v
    return mixed.transpose(0, 2, 1, 3).reshape(batch, length, d) @ block["out"]


def mean_loss(params: Params, text: jax.Array, n_head: int) -> jax.Array:
    """Mean cross-entropy of a model on a batch of sequences.

    Parameters
    ----------
    params
        The weights.
    text
        Bytes of shape ``(batch, CONTEXT)``; each is predicted from those before it in its row.
    n_head
        Attention heads.

    Returns
    -------
    jax.Array
        Nats per byte, a scalar.
    """
    target = text.astype(jnp.int32)
    x = params["embed"][jnp.pad(target[:, :-1], ((0, 0), (1, 0)))]
    for block in params["blocks"]:
        x = x + _attend(_norm(x, block["norm1"]), block, n_head)
        x = x + jax.nn.gelu(_norm(x, block["norm2"]) @ block["up"]) @ block["down"]
    logits = _norm(x, params["norm"]) @ params["head"]
    picked = jnp.take_along_axis(logits, target[..., None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(logits, -1) - picked)


def _lr_scale(path: tuple[Any, ...], leaf: jax.Array, width: int) -> float:
    """Share of the run's `lr` at which a weight learns; matrices at one inverse to the width."""
    name = getattr(path[0], "key", "")
    if name == "embed" or leaf.ndim == 1:
        return 1.0
    return (HEAD_WIDTH if name == "head" else HIDDEN_WIDTH) / width


_ADAM = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b1=0.8, b2=0.95))


@functools.partial(jax.jit, static_argnames="shape", donate_argnums=0)
def _train_chunk(
    state: tuple[Params, optax.OptState], text: jax.Array, lrs: jax.Array, shape: Shape
) -> tuple[tuple[Params, optax.OptState], jax.Array]:
    """Take one step per row of `text`, at the rates `lrs`; return state and training losses."""

    def step(
        carry: tuple[Params, optax.OptState], row: tuple[jax.Array, jax.Array]
    ) -> tuple[tuple[Params, optax.OptState], jax.Array]:
        params, moments = carry
        batch, lr = row
        loss, grads = jax.value_and_grad(mean_loss)(params, batch, shape.n_head)
        updates, moments = _ADAM.update(grads, moments)

        def apply(path: tuple[Any, ...], p: jax.Array, u: jax.Array) -> jax.Array:
            scale = _lr_scale(path, p, shape.d_model)
            decay = WEIGHT_DECAY * p if p.ndim == 2 else 0.0
            return p - lr * scale * (u + decay)

        return (jax.tree_util.tree_map_with_path(apply, params, updates), moments), loss

    return jax.lax.scan(step, state, (text, lrs))


@functools.partial(jax.jit, static_argnames="n_head")
def _evaluate(params: Params, text: jax.Array, n_head: int) -> jax.Array:
    return jnp.mean(jax.lax.map(lambda rows: mean_loss(params, rows, n_head), text))


def schedule(steps: int, peak: float) -> NDArray[np.float32]:
    """Learning rates of a run: linear warm-up, then half a cosine down to about zero.

    Parameters
    ----------
    steps
        Length of the run.
    peak
        Highest rate.

    Returns
    -------
    NDArray[np.float32]
        One rate per step.
    """
    at = np.arange(1, steps + 1, dtype=np.float64)
    warm = max(1, round(WARMUP * steps))
    cosine = 0.5 * (1 + np.cos(np.pi * np.clip((at - warm) / (steps + 1 - warm), 0, 1)))
    return (peak * np.minimum(at / warm, cosine)).astype(np.float32)


def train(
    run: Run,
    blocks: NDArray[np.uint8],
    held_out: NDArray[np.uint8],
    log: Callable[[int, dict[str, float]], None] | None = None,
) -> float:
    """Train one model once through its share of the text and measure it on held-out text.

    Parameters
    ----------
    run
        What to train.
    blocks
        Training text of shape ``(n, CONTEXT)``; the run takes ``steps * batch`` rows, chosen
        and ordered by its seed. A longer run of the same seed extends a shorter one's rows.
    held_out
        Text of shape ``(m, CONTEXT)``, `m` a multiple of `EVAL_BATCH`.
    log
        Called with the number of steps and what was measured there, `LOGS` times in a run and, with
        the held-out loss, `EVALUATIONS` times; what is trained is the same with and without.

    Returns
    -------
    float
        Held-out loss after the last step, in nats per byte.

    Raises
    ------
    ValueError
        If there is too little text, or `steps` is not a multiple of `CHUNK`.
    """
    need = run.steps * run.batch
    if need > len(blocks) or run.steps % CHUNK:
        raise ValueError(
            f"{run.name}: {run.steps} steps of {run.batch} need {need} rows of {len(blocks)} "
            f"and a multiple of {CHUNK} steps; change steps or batch."
        )
    rows = np.random.default_rng([run.seed, 1]).permutation(len(blocks))[:need]
    text = blocks[rows].reshape(-1, CHUNK, run.batch, CONTEXT)
    rates = schedule(run.steps, run.lr).reshape(-1, CHUNK)
    params = init_params(run.shape, run.seed)
    state = (params, _ADAM.init(params))
    panes = held_out.reshape(-1, EVAL_BATCH, CONTEXT)
    told, evaluated = (_after_equal_parts(len(text), parts) for parts in (LOGS, EVALUATIONS))
    loss = math.nan
    for i, (batch, lrs) in enumerate(zip(text, rates, strict=True), start=1):
        state, losses = _train_chunk(state, batch, lrs, run.shape)
        last = i == len(text)
        if last or (log is not None and i in evaluated):
            loss = float(_evaluate(state[0], panes, run.shape.n_head))
        if log is not None and i in told:
            tokens = i * CHUNK * run.batch * CONTEXT
            found = {"tokens": tokens, "lr": float(lrs[-1]), "train/loss": float(losses.mean())}
            log(i * CHUNK, found | ({"val/loss": loss} if i in evaluated else {}))
    return loss


def _after_equal_parts(count: int, parts: int) -> set[int]:
    """Ends of equal parts of 1, ..., count."""
    return {math.ceil(count * k / parts) for k in range(1, parts + 1)}
