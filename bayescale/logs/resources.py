"""N and D of a run from how it was set up: sizes by name or from the shape, tokens by the step.

The lists of names are here and nowhere else; a nested key is known by its last part.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayescale.cost.shape import Shape
from bayescale.errors import UsageError
from bayescale.logs.keys import plain

SIZES = (
    "n_params",
    "num_params",
    "n_parameters",
    "num_parameters",
    "total_params",
    "total_parameters",
    "parameter_count",
    "param_count",
    "parameters",
    "params",
    "model_params",
)
"""Numbers of parameters, of which the name does not say whether embeddings are counted."""

BARE_SIZES = (
    "non_embedding_params",
    "n_params_non_embedding",
    "num_params_non_embedding",
    "num_non_embedding_params",
    "non_embedding_parameters",
    "n_non_embedding",
)
"""Numbers of parameters without embeddings."""

STEP_TOKENS = ("tokens_per_step", "tokens_per_batch", "batch_tokens", "batch_size_tokens")
STEP_TOKENS += ("total_batch_tokens", "global_batch_tokens", "tokens_per_iter")
WHOLE_BATCH = ("global_batch_size", "total_batch_size", "effective_batch_size")
WHOLE_BATCH += ("global_train_batch_size",)
OWN_BATCH = ("per_device_train_batch_size", "micro_batch_size", "device_batch_size")
OWN_BATCH += ("device_train_microbatch_size", "per_device_batch_size", "micro_batch")
BATCH = ("batch_size", "train_batch_size", "bsz", "batch")
ACCUMULATION = ("gradient_accumulation_steps", "grad_accum_steps", "grad_accum", "accum_steps")
ACCUMULATION += ("accumulate_grad_batches", "gradient_accumulation")
PROCESSES = ("world_size", "num_processes", "n_gpus", "num_gpus", "n_devices", "num_devices")
PROCESSES += ("data_parallel_size", "dp_size", "ddp_world_size")
LENGTH = ("block_size", "seq_len", "seq_length", "sequence_length", "max_seq_len", "context_length")
LENGTH += ("max_seq_length", "max_sequence_length", "ctx_len", "n_ctx", "context_size", "seqlen")
PLANNED_STEPS = ("max_steps", "max_iters", "total_steps", "num_train_steps", "num_iterations")
PLANNED_STEPS += ("train_steps", "total_iters", "n_steps", "num_steps", "train_iters", "steps")

ALL_TOKENS = ("train_tokens", "total_tokens", "max_tokens", "num_tokens", "token_budget", "tokens")
ALL_TOKENS += ("training_tokens", "n_tokens", "total_train_tokens", "max_train_tokens")
"""Tokens of a whole run, as planned."""

SHAPE = {
    "layers": ("n_layer", "n_layers", "num_layers", "num_hidden_layers", "depth", "layers"),
    "width": ("n_embd", "d_model", "hidden_size", "n_embed", "model_dim", "dim", "width"),
    "heads": ("n_head", "n_heads", "num_heads", "num_attention_heads", "heads"),
    "ffw": ("intermediate_size", "d_ff", "ffn_dim", "n_inner", "mlp_hidden_size", "ffw"),
    "key_size": ("head_dim", "key_size", "d_head", "d_kv"),
}
KEY_VALUE_HEADS = ("num_key_value_heads", "n_kv_heads", "n_kv_head", "num_kv_heads")
ACTIVATION = ("hidden_act", "activation", "activation_function", "mlp_activation")
GATED = ("silu", "swiglu", "geglu", "glu", "reglu", "swish")

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_SIZE = re.compile(r"(?i)\s*(\d+(?:\.\d+)?(?:e\+?\d+)?)\s*([kmbt]?)\s*")


@dataclass(frozen=True)
class Found:
    """A number with where it is from.

    Parameters
    ----------
    value
        The number; None where nothing was found.
    said
        Where it is from, or why there is none: the rest of a sentence.
    """

    value: float | None
    said: str


def setting(config: Mapping[str, Any], known: Sequence[str]) -> tuple[str, float] | None:
    """The key and number that a configuration holds under the first of some names it has.

    Keys of evaluation are passed over. Of keys with one last part the shortest is taken.

    Examples
    --------
    >>> setting({"model.n_layer": 12, "eval.batch_size": 8}, ("n_layer", "batch_size"))
    ('model.n_layer', 12.0)
    """
    held: dict[str, list[str]] = {}
    for key in config:
        pieces = [plain(piece) for piece in re.split(r"[./]", key)]
        if not {*pieces[:-1]} & {"eval", "val", "validation", "test"}:
            held.setdefault(pieces[-1], []).append(key)
    for name in known:
        for key in sorted(held.get(name, ()), key=len):
            value = size(config[key])
            if value is not None:
                return key, value
    return None


def size(value: Any) -> float | None:
    """A positive number, also one written as ``124M``; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = _SIZE.fullmatch(value)
        value = float(found[1]) * _UNITS[found[2].lower()] if found else None
    if not isinstance(value, int | float) or not 0 < value < 1e300:
        return None
    return float(value)


def parameters(config: Mapping[str, Any]) -> Found:
    """N of a run: as its configuration names it, or counted from its shape."""
    total, bare = setting(config, SIZES), setting(config, BARE_SIZES)
    if total is None and (value := size(config.get("N"))):
        total = ("N", value)
    if total and bare and total[1] != bare[1]:
        return Found(
            None,
            f"'{total[0]}' and '{bare[0]}' could both be N; say which with N='{total[0]}' (command "
            f"line: --N {total[0]})",
        )
    if bare:
        return Found(bare[1], f"N is '{bare[0]}' of the configuration, without embeddings")
    if total:
        return Found(
            total[1],
            f"N is '{total[0]}' of the configuration, which does not say whether embeddings are "
            "counted",
        )
    return _counted(config)


def _counted(config: Mapping[str, Any]) -> Found:
    sizes = {name: held[1] for name, keys in SHAPE.items() if (held := setting(config, keys))}
    if not {"layers", "width"}.issubset(sizes) or any(not v.is_integer() for v in sizes.values()):
        return Found(None, "no size is named (such as n_params) and no shape (layers and width)")
    if "heads" in sizes and "key_size" not in sizes:
        sizes["key_size"] = max(sizes["width"] // sizes["heads"], 1)
    try:
        shape = Shape(**{name: int(value) for name, value in sizes.items()})
    except UsageError as error:
        return Found(None, f"the shape is none ({error})")
    count, also = float(shape.linear), ""
    words = {w for key in config if plain(key.rpartition(".")[2]) in ACTIVATION
             for w in plain(str(config[key])).split("_")}  # fmt: skip
    if words & {*GATED}:  # a third matrix in each feed-forward layer
        count += shape.layers * shape.width * shape.ffw
        also += ", gated feed-forward"
    if (shared := setting(config, KEY_VALUE_HEADS)) and 0 < shared[1] < shape.heads:
        count -= 2 * shape.layers * shape.width * (shape.heads - shared[1]) * shape.key_size
        also += f", {shared[1]:g} key-value heads"
    return Found(
        count,
        "N is counted from the shape as layers (4 width attention + 2 width ffw), without "
        f"embeddings{also}",
    )


def tokens_a_step(
    config: Mapping[str, Any], batch: float | None = None, length: float | None = None
) -> Found:
    """Tokens of one step: named, or sequences a step times tokens a sequence.

    Parameters
    ----------
    config
        How the run was set up.
    batch
        Sequences a step, all processes and accumulated batches together, where it is known.
    length
        Tokens a sequence, where it is known.
    """
    if batch is None and length is None and (held := setting(config, STEP_TOKENS)):
        return Found(held[1], f"'{held[0]}'")
    sequence = Found(length, f"{length:g}" if length else "") if length else _length(config)
    sequences = Found(batch, f"{batch:g}" if batch else "") if batch else _batch(config)
    if sequence.value is None or sequences.value is None:
        return sequence if sequence.value is None else sequences
    if sequence.value * sequences.value > 1e9:
        return Found(
            None,
            f"{sequences.said} x {sequence.said} would be {sequence.value * sequences.value:.3g} "
            "tokens a step, so the batch may be in tokens already; pass tokens_per_step= (command "
            "line: --tokens-per-step)",
        )
    return Found(sequence.value * sequences.value, f"{sequences.said} x {sequence.said}")


def _length(config: Mapping[str, Any]) -> Found:
    if held := setting(config, LENGTH):
        return Found(held[1], f"'{held[0]}'")
    return Found(
        None,
        "no key gives the tokens of a sequence (such as seq_len); pass length= or tokens_per_step=",
    )


def _batch(config: Mapping[str, Any]) -> Found:
    whole, own, batch = (setting(config, known) for known in (WHOLE_BATCH, OWN_BATCH, BATCH))
    many, processes = setting(config, ACCUMULATION), setting(config, PROCESSES)
    if whole:
        return Found(whole[1], f"'{whole[0]}'")
    if own:
        if not processes:
            return Found(
                None,
                f"'{own[0]}' is the batch of one process and no key gives their number (such as "
                "world_size); pass batch= or tokens_per_step=",
            )
        factors = [own, processes, *([many] if many else [])]
    elif not batch:
        return Found(
            None,
            "no key gives the batch (such as batch_size); pass batch= or tokens_per_step=",
        )
    elif processes and processes[1] > 1:
        return Found(
            None,
            f"'{batch[0]}' could be the batch of one of the {processes[1]:g} processes "
            f"('{processes[0]}') or of all; pass batch= or tokens_per_step=",
        )
    else:
        factors = [batch, *([many] if many else [])]
    product = 1.0
    for _, value in factors:
        product *= value
    return Found(product, " x ".join(f"'{key}'" for key, _ in factors))
