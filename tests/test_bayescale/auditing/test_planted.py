"""Faults planted into real tables, through the command line: found, and the advice quiets them."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayescale as bs
from bayescale.cli.app import app

PLACES = [11, 57, 130]


def chinchilla() -> pd.DataFrame:
    """The runs of `epoch_chinchilla`, with names and compute of their own."""
    table = bs.load("epoch_chinchilla").table[["N", "D", "C", "loss"]]
    return table.assign(run=[f"run {i}" for i in range(len(table))])


def at(table: pd.DataFrame, column: str, change: Callable) -> pd.DataFrame:
    """The table with a few cells of a column changed."""
    new = table.copy()
    new.loc[PLACES, column] = change(new.loc[PLACES, column])
    return new


def _pooled() -> pd.DataFrame:
    """Two of the protocols of `porian_isoflop`: warm-up, decay and count of parameters differ."""
    parts = ["rw/base/long/kaplan/kaplan", "rw/base/short/chinchilla/standard"]
    return pd.concat(
        [
            bs.load("porian_isoflop", table=part).table[["N", "D", "loss"]].assign(protocol=part)
            for part in parts
        ],
        ignore_index=True,
    )


def _corpora() -> pd.DataFrame:
    parts = [bs.load("gadre_overtrain", table=f"{c}/openlm") for c in ("rpj", "rw_original")]
    return pd.concat(
        [part.table[["N", "D", "loss", "corpus"]] for part in parts], ignore_index=True
    )


def _copied() -> pd.DataFrame:
    table = chinchilla()
    table["loss"] *= np.exp(1e-5 * np.random.default_rng(0).standard_normal(len(table)))
    copies = table.loc[PLACES].assign(run=["a", "b", "c"])
    return pd.concat([table, copies], ignore_index=True)


def _checkpoints() -> pd.DataFrame:
    """Five runs of 200 checkpoints each along the law that fits `epoch_chinchilla`."""
    rng = np.random.default_rng(0)
    tokens = 1e9 * np.arange(1, 201)
    parts = []
    for n in np.geomspace(1e8, 1e10, 5):
        wiggle = 0.01 * np.cumsum(rng.standard_normal(200)) / 200**0.5
        loss = (1.82 + 478 * n**-0.347 + 2143 * tokens**-0.367) * np.exp(wiggle)
        parts.append(pd.DataFrame({"N": n, "D": tokens, "loss": loss}))
    return pd.concat(parts, ignore_index=True)


def _accuracy() -> pd.DataFrame:
    table = chinchilla()
    return table.assign(loss=1 - table["loss"] / 6)


PLANTED: dict[str, tuple[Callable[[], pd.DataFrame], str, str, list[int]]] = {
    "row 11, three N in millions": (
        lambda: at(chinchilla().drop(columns="C"), "N", lambda n: n / 1e6),
        "magnitudes",
        "refuse",
        PLACES,
    ),
    "row 12, D in billions": (
        lambda: chinchilla().drop(columns="C").assign(D=lambda t: np.maximum(t["D"] / 1e9, 1)),
        "magnitudes",
        "refuse",
        [],
    ),
    "row 13, C of another cost": (
        lambda: chinchilla().assign(C=lambda t: 3 * t["C"]),
        "cost_ratio",
        "note",
        [],
    ),
    "row 15, three C a thousand off": (
        lambda: at(chinchilla(), "C", lambda c: 1e3 * c),
        "cost_ratio",
        "refuse",
        PLACES,
    ),
    "row 7, an accuracy": (_accuracy, "not_a_loss", "refuse", []),
    "row 27, one run under two names": (_copied, "near_duplicates", "warn", []),
    "rows 29 and 30, checkpoints": (_checkpoints, "checkpoints", "warn", []),
    "row 35, two corpora": (_corpora, "explains", "warn", []),
    "row 33, two protocols": (_pooled, "explains", "warn", []),
    "row 31, diverged": (
        lambda: at(chinchilla(), "loss", lambda loss: 2 * loss),
        "unfinished",
        "note",
        PLACES,
    ),
    "row 36, a state": (
        lambda: at(chinchilla().assign(State="finished"), "State", lambda _: "crashed"),
        "unfinished",
        "warn",
        PLACES,
    ),
    "row 37, repeated data": (
        lambda: chinchilla().assign(unique_tokens=1e9),
        "repeated_data",
        "warn",
        [],
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_was_planted_is_found(fetched: Path, tmp_path: Path, name: str) -> None:
    make, check, severity, rows = PLANTED[name]
    path = tmp_path / "runs.csv"
    make().to_csv(path, index=False)
    result = CliRunner().invoke(app, ["audit", str(path), "--json"])
    found = json.loads(result.stdout)["findings"]
    fits = [f for f in found if f["check"] == check and f["severity"] == severity]
    assert fits, (found, result.stderr)
    # Compute that was planted to be another is known by its rows, among those that have slips.
    assert {row - 1 for row in fits[0]["rows"]} >= set(rows)
    assert result.exit_code == (5 if severity == "refuse" else 0)


def test_the_tables_themselves_are_quiet(fetched: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    chinchilla().to_csv(path, index=False)
    result = CliRunner().invoke(app, ["audit", str(path), "--json"])
    assert json.loads(result.stdout)["status"] == "ok"


@pytest.mark.slow
def test_the_advice_on_two_corpora_leads_to_their_noise(fetched: Path, tmp_path: Path) -> None:
    """Pooled, the noise is .084; by groups it is .014, and the plan another."""
    path = tmp_path / "runs.csv"
    _corpora().to_csv(path, index=False)
    pooled = _fitted(path, "")
    (finding,) = (f for f in bs.audit(bs.read_runs(path)).findings if f.check == "explains")
    grouped = _fitted(path, finding.command)
    assert pooled["params"]["sigma"]["mean"] > 0.06
    assert grouped["population"]["sigma"]["mean"] < 0.03


def _fitted(path: Path, options: str) -> dict:
    words = ["fit", str(path), "--law", "chinchilla", "--json", "--force", *shlex.split(options)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
