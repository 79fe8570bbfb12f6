"""Which metric is the loss, the tokens seen or the learning rate: by name, and refused if two fit.

The lists of names are here and nowhere else. Names are compared in lower case with their words
joined by ``_``.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bayescale.errors import RunsError
from bayescale.logs.keys import plain
from bayescale.logs.merged_run import MergedRun
from theory.errors import did_you_mean

EVALUATION = ("eval_loss", "val_loss", "valid_loss", "validation_loss", "loss_val", "loss_eval")
"""Losses on data held out, as most loggers call them."""

TRAINING = ("train_loss", "training_loss", "loss", "loss_train", "lm_loss", "train_lm_loss")
"""Losses on the batches trained on."""

HELD_OUT = {"eval", "val", "valid", "validation", "test", "dev", "heldout", "evaluation", "holdout"}
LOSS = re.compile(r"(^|_)(loss|nll|ce|cross_entropy|crossentropy|xent)($|_)")
NOT_LOSS = {"best", "min", "max", "std", "var", "aux", "z", "router", "balance", "load", "reg"}
NOT_LOSS |= {"scale", "grad", "kl", "weight", "mask", "time", "runtime", "perplexity", "ppl", "kd"}
"""Words of metrics that are no loss, or one that was chosen or weighted already."""

TOKENS = (
    "tokens",
    "tokens_seen",
    "num_input_tokens_seen",
    "total_tokens",
    "train_tokens",
    "training_tokens",
    "train_tokens_seen",
    "throughput_total_tokens",
    "throughput_total_training_tokens",
    "consumed_tokens",
    "consumed_train_tokens",
    "tokens_processed",
    "n_tokens",
    "num_tokens",
    "trained_tokens",
    "token_count",
    "total_tokens_seen",
)
"""Counters of the tokens trained on so far."""

LEARNING_RATE = (
    "lr",
    "learning_rate",
    "train_lr",
    "train_learning_rate",
    "lr_adamw",
    "lr_adam",
    "optim_lr",
    "optim_learning_rate_group0",
    "lr_max",
    "lr_group0",
    "schedule_lr",
)

Fits = Callable[[str], bool]


def _loss_words(name: str) -> set[str]:
    called = plain(name)
    words = {*called.split("_")}
    return words if LOSS.search(called) and not words & NOT_LOSS else set()


CLASSES: tuple[tuple[str, Fits], ...] = (
    ("evaluation loss", lambda name: plain(name) in EVALUATION),
    ("evaluation loss", lambda name: bool(_loss_words(name) & HELD_OUT)),
    ("training loss", lambda name: plain(name) in TRAINING),
    ("training loss", lambda name: bool(_loss_words(name))),
)
"""What is preferred as the loss, best first: a test of names each, with what it finds."""


@dataclass(frozen=True)
class Choice:
    """The metric of each run that was chosen.

    Parameters
    ----------
    metrics
        Its name in each run; None where a run has none.
    said
        A sentence on it; empty where there is nothing to say.
    """

    metrics: tuple[str | None, ...]
    said: str


def choose_loss(runs: Sequence[MergedRun], given: str | None) -> Choice:
    """The loss of each run: as given, or evaluation before training unless few runs have it.

    Raises
    ------
    RunsError
        No run has what is given, nothing looks like a loss, or two metrics fit equally.
    """
    if given is not None:
        chosen = Choice(_present(runs, given), f"The loss is '{given}', as asked.")
        if not any(chosen.metrics):
            raise RunsError(_absent(given, runs))
        return chosen
    best: tuple[int, str, dict[str, int]] | None = None
    few = ""
    for kind, fits in CLASSES:
        names = _counted(runs, fits)
        held = sum(any(name in run.metrics for name in names) for run in runs)
        if names and (best is None or held > 2 * best[0]):
            few = f" Only {best[0]} of {len(runs)} runs log {_some(best[2])}." if best else ""
            best = (held, kind, names)
    if best is None:
        raise RunsError(
            f"no metric is called like a loss; say which it is with loss='...' (command line: "
            f"--loss NAME). Metrics: {_some(_counted(runs, lambda name: True))}."
        )
    chosen = _one(runs, best[1], best[2], "loss")
    return Choice(chosen.metrics, chosen.said + few)


def choose(runs: Sequence[MergedRun], known: Sequence[str], kind: str, argument: str) -> Choice:
    """The metric of each run whose name is in a list; none where no run has one.

    Parameters
    ----------
    runs
        The runs.
    known
        Names, the better first.
    kind
        What it is, for the sentence.
    argument
        The argument that chooses, for a refusal.
    """
    names = _counted(runs, lambda name: plain(name) in known)
    if not names:
        return Choice((None,) * len(runs), "")
    best = min(known.index(plain(name)) for name in names)
    first = {name: n for name, n in names.items() if known.index(plain(name)) == best}
    wide = {name: n for name, n in names.items() if n > 2 * sum(first.values())}
    return _one(runs, kind, wide or first, argument)


def _one(runs: Sequence[MergedRun], kind: str, names: dict[str, int], argument: str) -> Choice:
    """The only one of some names that each run has; two in one run are refused."""
    metrics: list[str | None] = []
    for run in runs:
        held = [name for name in names if name in run.metrics]
        if len(held) > 1:
            raise RunsError(
                f"'{held[0]}' and '{held[1]}' could both be the {kind} (run '{run.name}'); say "
                f"which with {argument}='{held[0]}' (command line: --{argument} '{held[0]}')."
            )
        metrics.append(held[0] if held else None)
    used = list(dict.fromkeys(name for name in metrics if name is not None))
    shown = " or ".join(f"'{name}'" for name in used[:4])
    each = ", each run having one" if len(used) > 1 else ""
    return Choice(tuple(metrics), f"The {kind} is taken to be {shown}{each}, by its name.")


def _present(runs: Sequence[MergedRun], name: str) -> tuple[str | None, ...]:
    return tuple(name if name in run.metrics else None for run in runs)


def _counted(runs: Sequence[MergedRun], fits: Fits) -> dict[str, int]:
    """Names of metrics that fit, with the number of runs that have each."""
    found: dict[str, int] = {}
    for run in runs:
        for name in run.metrics:
            if name in found or fits(name):
                found[name] = found.get(name, 0) + 1
    return found


def _absent(name: str, runs: Sequence[MergedRun]) -> str:
    names = _counted(runs, lambda _: True)
    return f"no run has a metric '{name}'.{did_you_mean(name, names)} Metrics: {_some(names)}."


def _some(names: dict[str, int]) -> str:
    shown = ", ".join(f"'{name}'" for name in [*names][:20])
    return (shown or "none") + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
