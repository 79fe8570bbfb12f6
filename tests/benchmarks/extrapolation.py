"""Nineteen real tables divided into runs to fit and larger runs to forecast, by one protocol.

    BAYESCALE_DATA=... python tests/benchmarks/extrapolation.py

A table is sorted by compute. Candidate cuts lie at gaps between budgets of more than 2%, with at
least 12 runs below (3 model sizes, 4 data sizes) and at least 3 runs at three times the cut or
more, which are forecast. *late* is the last cut with enough runs to forecast, *early* the first
with enough to fit, *ext* all rows against runs that the source itself held out. To these come the
four settings of the published comparison on `epoch_chinchilla`: with and without its five highest
losses, runs below 2e19 or 1e20 FLOP against those above 5e20. Settings of one source are not
independent: average within a source first. The command lists them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

import bayescale as bs
from bayescale.runs.datasets import cache_folder
from bayescale.runs.table import Runs

NEW = {
    "farseer": ("farseer",),
    "l2l": ("l2l_fineweb", "l2l_smollm", "l2l_starcoder"),
    "marin": ("marin_dclm",),
    "xlstm": (
        "xlstm_llama_ctx2048",
        "xlstm_llama_ctx8192",
        "xlstm_llama_ctx16384",
        "xlstm_mlstm_ctx16384",
    ),
}
"""Source -> its tables in the folder `extrapolation_tables`."""

OLD: dict[str, tuple[str, ...]] = {
    "epoch_chinchilla": ("",),
    "gemstones": ("",),
    "misfitting": ("",),
    "tiny_lm": ("",),
    "porian_isoflop": (
        "rw/tuned/short/const/standard",
        "rw/base/short/chinchilla/standard",
        "owt2/tuned/short/const/standard",
    ),
    "gadre_overtrain": ("rpj/c4_val", "rw_original/c4_val"),
}
"""Dataset -> its tables; the first ten that were looked at."""

GAP, REACH, DIVERGED = 1.02, 3.0, 6.0
"""Ratio of budgets that are apart; least ratio of a forecast run to the cut; loss of a run that
diverged, which nobody can be asked to forecast."""


@dataclass(frozen=True)
class Setting:
    """A table divided into what is fitted and what is forecast."""

    source: str
    table: str
    kind: str
    past: Runs
    future: Runs

    @property
    def name(self) -> str:
        return f"{self.source} {self.table} {self.kind}".replace("  ", " ")


def tables() -> Iterator[tuple[str, str, Runs, Runs | None]]:
    """Source, name, runs, and the source's own larger runs."""
    for source, names in OLD.items():
        for name in names:
            yield source, name, bs.load(source, **({"table": name} if name else {})), None
    for source, names in NEW.items():
        for name in names:
            whole = pd.read_csv(cache_folder() / "extrapolation_tables" / f"{name}.csv")
            ext = whole["ext"] == 1 if "ext" in whole else pd.Series(False, whole.index)
            held = bs.read_runs(whole[ext], name=name) if ext.any() else None
            yield source, name, bs.read_runs(whole[~ext], name=name), held


def cuts(runs: Runs) -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Candidate cuts: budget, runs below, runs to be forecast."""
    compute = runs.column("C") if "C" in runs.table else 6 * runs.column("N") * runs.column("D")
    order = np.unique(compute)
    found = []
    for low, high in pairwise(order):
        if high / low <= GAP:
            continue
        cut = float(np.sqrt(low * high))
        past, future = compute < cut, (compute >= REACH * cut) & (runs.loss < DIVERGED)
        size, data = (len(np.unique(runs.column(n)[past])) for n in ("N", "D"))
        if past.sum() >= 12 and size >= 3 and data >= 4 and future.sum() >= 3:
            found.append((cut, past, future))
    return found


def settings() -> Iterator[Setting]:
    for source, name, runs, held in tables():
        found = cuts(runs)
        if found:
            most = max(int(future.sum()) for _, _, future in found)
            wanted = min(max(6.0, 0.08 * len(runs)), most)
            late = [one for one in found if one[2].sum() >= wanted][-1]
            yield Setting(source, name, "late", runs.select(late[1]), runs.select(late[2]))
            enough = max(14.0, 0.35 * len(runs))
            early = [one for one in found if one[1].sum() >= enough][:1]
            if early and early[0][0] < late[0] / 1.9:
                (_, past, future) = early[0]
                yield Setting(source, name, "early", runs.select(past), runs.select(future))
        if held is not None:
            yield Setting(source, name, "ext", runs, held)
    epoch = bs.load("epoch_chinchilla")
    for label, runs in (("245 rows", epoch), ("240 rows", epoch.drop_highest_losses(5))):
        compute = runs.column("C")
        for cut in (2e19, 1e20):
            past, future = runs.select(compute < cut), runs.select(compute > 5e20)
            yield Setting("epoch_chinchilla", label, f"below {cut:.0e}", past, future)


if __name__ == "__main__":
    for one in settings():
        print(f"{one.name}: {len(one.past)} fitted, {len(one.future)} forecast")
