"""The audit: what was planted is found, and a clean table stays quiet."""

import json
import shlex
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayescale as bs
from bayescale.auditing.check import Audited
from bayescale.auditing.checks import CHECKS
from bayescale.auditing.checks.explains import explained
from bayescale.auditing.finding import Severity
from bayescale.cli.app import app

ONE_PROTOCOL = (
    ("epoch_chinchilla", None),
    ("gadre_overtrain", "rpj/c4_val"),
    ("gadre_overtrain", "rw_original/c4_val"),
    ("porian_isoflop", "rw/tuned/short/const/standard"),
    ("porian_isoflop", "owt2/tuned/short/const/standard"),
    ("porian_isoflop", "rw/base/long/kaplan/kaplan"),
    ("tiny_lm", None),
    ("teacher_student", None),
    ("marin_ladder", None),
)


def clean(seed: int = 0, count: int = 48, noise: float = 0.004) -> pd.DataFrame:
    """Runs of an additive law at random sizes."""
    rng = np.random.default_rng(seed)
    n, d = 10 ** rng.uniform(7, 10, count), 10 ** rng.uniform(9, 11.5, count)
    loss = 1.7 + 400 * n**-0.34 + 400 * d**-0.28
    return pd.DataFrame({"N": n, "D": d, "loss": loss * np.exp(noise * rng.standard_t(5, count))})


def audit(table: pd.DataFrame, **options) -> bs.Audit:
    return bs.audit(bs.read_runs(table, on_duplicates="keep"), **options)


def only(found: bs.Audit, check: str) -> bs.Finding:
    (finding,) = (one for one in found.findings if one.check == check)
    return finding


# --- false alarms


def test_clean_tables_stay_quiet() -> None:
    """With columns that mean nothing, some tied to a size: at most one table in twenty."""
    alarms = 0
    for seed in range(60):
        rng = np.random.default_rng([seed, 1])
        table = clean(seed, int(rng.integers(16, 90)), 10 ** rng.uniform(-3, -2))
        count = len(table)
        table = table.assign(
            corpus=rng.choice(["a", "b"], count),
            optimiser=rng.choice(["x", "y", "z"], count),
            cluster=np.where(table["N"] > table["N"].median(), "large", "small"),
            warmup=rng.choice([100, 200, 400], count),
        )
        alarms += audit(table).diagnosis.status != "ok"
    assert alarms <= 3


@pytest.mark.parametrize(("name", "part"), ONE_PROTOCOL)
def test_real_tables_of_one_protocol_raise_no_alarm(fetched, name: str, part: str | None) -> None:
    runs = bs.load(name) if part is None else bs.load(name, table=part)
    assert bs.audit(runs).diagnosis.reasons == ()


# --- a column that explains


def test_two_corpora_in_one_table_are_named() -> None:
    table = clean(count=60)
    corpus = np.where(np.arange(60) % 2 == 0, "web", "books")
    moved = table.assign(corpus=corpus, loss=table["loss"] * np.where(corpus == "web", 1, 1.06))
    finding = only(audit(moved), "explains")
    assert finding.severity is Severity.WARN
    assert finding.evidence["column"] == "corpus"
    assert finding.evidence["share"] > 0.9
    assert finding.command == "--groups corpus"
    assert audit(moved, known=["corpus"]).findings == ()


def test_the_share_is_that_of_the_analysis_of_variance() -> None:
    """Against least squares of the residuals on the surface and a line for each label."""
    rng = np.random.default_rng(3)
    table = clean(4).assign(corpus=rng.choice(["a", "b", "c"], 48))
    seen = Audited(bs.read_runs(table))
    codes = pd.factorize(table["corpus"])[0]
    share, p = explained(seen, codes)
    basis, scale = seen.surface.basis, seen.surface.scale
    residual = np.clip(seen.surface.residual, -4 * scale, 4 * scale)
    residual -= basis @ np.linalg.lstsq(basis, residual, rcond=None)[0]
    logs = np.stack([np.ones(48), *(np.log(table[n]) for n in ("N", "D"))], axis=1)
    full = np.hstack([basis, *(logs * (codes == k)[:, None] for k in range(3))])
    left = residual - full @ np.linalg.lstsq(full, residual, rcond=1e-9)[0]
    spare = 48 - basis.shape[1], 48 - np.linalg.matrix_rank(full)
    expected = 1 - (left @ left / spare[1]) / (residual @ residual / spare[0])
    assert share == pytest.approx(expected, abs=1e-9)
    assert 0 < p <= 1


def test_p_values_of_labels_that_mean_nothing_are_uniform() -> None:
    found = []
    for seed in range(150):
        codes = np.random.default_rng([seed, 7]).integers(0, 3, 40)
        found.append(explained(Audited(bs.read_runs(clean(seed, 40)), seed=seed), codes)[1])
    ordered = np.sort(found)
    away = np.abs(ordered - (np.arange(150) + 0.5) / 150).max()
    assert away < 1.63 / np.sqrt(150)  # Kolmogorov-Smirnov at 1%


@pytest.mark.parametrize("evaluation", ["openlm", "paloma_redpajama"])
def test_gadre_pooled_over_its_corpora_is_told_and_its_groups_are_quiet(
    fetched, evaluation: str
) -> None:
    parts = [bs.load("gadre_overtrain", table=f"{c}/{evaluation}") for c in ("rpj", "rw_original")]
    pooled = replace(parts[0], table=pd.concat([p.table for p in parts], ignore_index=True))
    finding = only(bs.audit(pooled), "explains")
    assert finding.evidence["column"] == "corpus"
    assert finding.command == "--groups corpus"
    for part in parts:
        assert bs.audit(part).diagnosis.reasons == ()


# --- sweeps


def swept(seed: int = 0, noise: float = 0.003) -> tuple[pd.DataFrame, dict[tuple, float]]:
    """Grids of learning rate and batch at 16 sizes, and the best loss of each."""
    rng = np.random.default_rng(seed)
    rows, best = [], {}
    for n in (2e8, 4e8, 6e8, 1e9):
        for ratio in (5, 20, 80, 300):
            loss = 1.7 + 400 * n**-0.34 + 400 * (ratio * n) ** -0.28
            best[n, ratio * n] = loss
            peak = np.log(1e-3) + 0.2 * rng.normal()
            for lr in np.geomspace(1e-4, 1e-2, 9):
                for batch in np.geomspace(32, 2048, 7):
                    bowl = 0.008 * (np.log(lr) - peak) ** 2 + 0.004 * np.log(batch / 256) ** 2
                    scatter = noise * rng.standard_normal()
                    rows.append((n, ratio * n, lr, batch, loss * np.exp(bowl + scatter)))
    return pd.DataFrame(rows, columns=["N", "D", "lr", "batch", "loss"]), best


def test_a_sweep_is_told_with_its_columns() -> None:
    table, _ = swept()
    table = table.assign(steps=table["D"] / table["batch"], seconds=np.arange(len(table)) + 0.5)
    finding = only(audit(table), "sweep")
    assert finding.evidence["columns"] == ["lr", "batch"]
    assert finding.command == "--best-of lr --best-of batch"
    # Of a law that knows both, the steps follow from the sizes and the batch.
    assert "sweep" not in {one.check for one in audit(table, known=["lr", "batch"]).findings}


@pytest.mark.parametrize("noise", [0.001, 0.003, 0.01])
def test_the_envelope_takes_the_chance_of_a_best_of_many_off(noise: float) -> None:
    errors = {"loss": [], "loss_observed": []}
    for seed in range(6):
        table, best = swept(seed, noise)
        found = bs.envelope(bs.read_runs(table), ["lr", "batch"]).table
        truth = np.array([best[key] for key in zip(found["N"], found["D"], strict=True)])
        for name, gathered in errors.items():
            gathered.extend(np.log(found[name] / truth))
    bias = {name: np.mean(gathered) for name, gathered in errors.items()}
    assert abs(bias["loss"]) < 5e-4 + 0.1 * noise
    if noise > 0.001:
        assert bias["loss_observed"] < -0.7 * noise


def test_the_best_of_equal_runs_is_an_order_statistic() -> None:
    """k equal settings: the least is lower by what the least of k Normal draws is."""
    rng = np.random.default_rng(1)
    count, k, noise = 60, 8, 0.01
    table = pd.DataFrame(
        {
            "N": np.repeat(np.geomspace(1e7, 1e9, count), k),
            "lr": 1e-3,
            "loss": 3.0 * np.exp(noise * rng.standard_normal(count * k)),
        }
    )
    found = bs.envelope(bs.read_runs(table), ["lr"]).table
    assert np.log(found["loss"] / 3.0).mean() == pytest.approx(0.0, abs=4 * noise / count**0.5)
    least = -1.4236  # of eight Normal draws (Harter 1961)
    assert np.log(found["loss_observed"] / found["loss"]).mean() == pytest.approx(
        least * noise, rel=0.15
    )


def test_an_envelope_needs_a_sweep() -> None:
    runs = bs.read_runs(clean().assign(lr=1e-3))
    with pytest.raises(bs.errors.RunsError, match="no two runs have equal N and D"):
        bs.envelope(runs, ["lr"])
    with pytest.raises(bs.errors.UsageError, match="over= names no column"):
        bs.envelope(runs, [])


@pytest.mark.slow
def test_the_plan_of_an_envelope_covers_the_optimum_of_the_best() -> None:
    """80% intervals of N* at ten times the compute, over sweeps of a known law."""
    inside = 0
    for seed in range(10):
        table, _ = swept(seed)
        best = bs.envelope(bs.read_runs(table), ["lr", "batch"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bs.errors.DiagnosticsWarning)
            post = bs.fit(best, "chinchilla", seed=seed)
        row = bs.plan(post, compute=1e22, force=True).summary().xs("N", level="quantity").iloc[0]
        # A N^-alpha alpha = B D^-beta beta along C = 6 N D, of the law that made the tables.
        grid = np.geomspace(1e8, 1e11, 20_000)
        truth = grid[np.argmin(400 * grid**-0.34 + 400 * (1e22 / 6 / grid) ** -0.28)]
        inside += row["q10"] < truth < row["q90"]
    assert inside >= 7


def test_steplaw_s_sweep_is_told_and_its_envelope_plans_near_ten_tokens_a_parameter(
    fetched,
) -> None:
    runs = bs.load("steplaw")
    finding = only(bs.audit(runs), "sweep")
    assert finding.evidence["columns"] == ["lr", "bs"]
    best = bs.envelope(runs, finding.evidence["columns"])
    assert len(best) == 17
    with pytest.warns(bs.errors.DiagnosticsWarning, match="E is the prior's"):
        post = bs.fit(best, "chinchilla", engine="laplace", seed=0)
    row = bs.plan(post, compute=1e21, force=True).summary().xs("D/N", level="quantity").iloc[0]
    assert 6 < row["q50"] < 16


# --- checkpoints


def checkpoints(runs: int = 5, count: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for k, n in enumerate(np.geomspace(1e8, 4e9, runs)):
        tokens = 1e9 * np.arange(1, count + 1)
        wiggle = 0.01 * np.cumsum(rng.standard_normal(count)) / count**0.5
        loss = (1.7 + 400 * n**-0.34 + 400 * tokens**-0.28) * np.exp(wiggle)
        rows.append(pd.DataFrame({"experiment": f"r{k}", "N": n, "D": tokens, "loss": loss}))
    return pd.concat(rows, ignore_index=True)


def test_checkpoints_are_told_with_a_column_and_without() -> None:
    table = checkpoints()
    named = only(audit(table), "checkpoints")
    assert named.evidence == {"column": "experiment", "runs": 5}
    assert named.command == "--column run=experiment --finals run"
    unnamed = only(audit(table.drop(columns="experiment")), "checkpoints")
    assert unnamed.evidence == {"column": None, "runs": 5}
    assert unnamed.command == "--finals N"
    assert audit(table, curves=True).findings == ()


def test_finals_are_the_last_row_of_each_run() -> None:
    table = checkpoints()
    last = bs.read_runs(table).finals("N")
    assert len(last) == 5
    assert set(last.table["D"]) == {2e11}
    assert last.notes[-1] == "Of each 'N' the last of its rows was kept."
    with pytest.raises(bs.errors.RunsError, match="no column 'nothing'"):
        bs.read_runs(table).finals("nothing")


def test_a_grid_of_finished_runs_is_not_checkpoints() -> None:
    n, d = np.meshgrid(np.geomspace(1e7, 1e9, 6), np.geomspace(1e9, 1e11, 8))
    loss = 1.7 + 400 * n**-0.34 + 400 * d**-0.28
    table = pd.DataFrame({"N": n.ravel(), "D": d.ravel(), "loss": loss.ravel(), "model": "m"})
    table = table.sort_values(["N", "D"], ignore_index=True)
    table["model"] = table["N"].map(str)
    assert "checkpoints" not in {one.check for one in audit(table).findings}


# --- units and costs


@pytest.mark.parametrize("factor", [1e3, 1e6])
def test_a_few_sizes_in_another_unit_are_refused_by_row(factor: float) -> None:
    table = clean(2)
    wrong = [5, 17, 30]
    table.loc[wrong, "N"] /= factor
    finding = only(audit(table), "magnitudes")
    assert finding.severity is Severity.REFUSE
    assert finding.rows == (5, 17, 30)
    assert "rows 6, 18, 31" in finding.sentence


def test_a_column_in_millions_is_refused() -> None:
    finding = only(audit(clean(2).assign(N=lambda t: t["N"] / 1e6)), "magnitudes")
    assert finding.command == "--unit N=1e6"
    billions = clean(2).assign(D=lambda t: t["D"] / 1e9)
    assert only(audit(billions), "magnitudes").command == "--unit D=1e6"


def test_compute_that_is_not_6_n_d_is_a_note_and_a_slip_is_named() -> None:
    table = clean(5).assign(C=lambda t: 6 * t["N"] * t["D"])
    assert "cost_ratio" not in {one.check for one in audit(table).findings}
    dear = only(audit(table.assign(C=4 * table["C"])), "cost_ratio")
    assert dear.severity is Severity.NOTE
    assert "4.00 about N =" in dear.sentence
    table.loc[[3, 8], "C"] *= 1000
    slip = only(audit(table), "cost_ratio")
    assert slip.severity is Severity.REFUSE
    assert slip.rows == (3, 8)
    assert "C / (6 N D) is 1e+03, 1e+03 in rows 4, 9" in slip.sentence


# --- losses and ends


def test_an_accuracy_is_no_loss() -> None:
    table = clean(1).assign(loss=lambda t: 1 - 0.3 * t["loss"].rank(pct=True))
    finding = only(audit(table), "not_a_loss")
    assert finding.severity is Severity.REFUSE
    assert "an accuracy" in finding.sentence


def test_runs_that_did_not_end_are_named_by_state_by_progress_and_by_loss() -> None:
    table = clean(3).assign(State="finished")
    table.loc[[2, 9], "State"] = ["crashed", "Failed"]
    state = only(audit(table), "unfinished")
    assert state.rows == (2, 9)
    assert state.command == "--only State=finished"
    early = clean(3).assign(portion_steps_elapsed=1.0)
    early.loc[7, "portion_steps_elapsed"] = 0.4
    assert only(audit(early), "unfinished").rows == (7,)
    diverged = clean(3)
    diverged.loc[11, "loss"] *= 1.8
    finding = only(audit(diverged), "unfinished")
    assert finding.rows == (11,)
    assert finding.severity is Severity.NOTE


def test_one_run_under_two_names_is_told() -> None:
    table = clean(4).assign(run=lambda t: [f"run {i}" for i in range(len(t))])
    again = table.iloc[[6]].assign(run="copy", loss=lambda t: t["loss"] * (1 + 3e-7))
    finding = only(audit(pd.concat([table, again], ignore_index=True)), "near_duplicates")
    assert finding.rows in {(48,), (6,)}
    rounded = table.assign(N=1e8, D=1e10, loss=np.round(table["loss"].to_numpy(), 2))
    assert "near_duplicates" not in {one.check for one in audit(rounded).findings}


def test_repeated_data_and_replicates_are_told() -> None:
    table = clean(6).assign(unique_tokens=1e9)
    finding = only(audit(table), "repeated_data")
    assert finding.command == "--law muennighoff --column U=unique_tokens"
    twice = pd.concat([clean(6), clean(6)]).reset_index(drop=True)
    twice = twice.assign(seed=np.repeat([0, 1], 48))
    twice.loc[48:, "loss"] *= np.exp(0.01 * np.random.default_rng(0).standard_normal(48))
    note = only(audit(twice), "replicates")
    assert note.severity is Severity.NOTE
    assert note.evidence["spread"] == pytest.approx(0.01 / 2**0.5, rel=0.35)


# --- contracts


def test_every_check_is_quiet_on_few_rows_and_on_one_size() -> None:
    full = clean(0, 30)
    for table in (clean(0, 5), full.drop(columns="D"), full.drop(columns="N")):
        seen = Audited(bs.read_runs(table))
        for name, check in CHECKS.items():
            for finding in check.look(seen):
                assert finding.check == name
                assert finding.severity is not Severity.REFUSE


def test_an_audit_is_a_table_text_and_json() -> None:
    found = audit(clean(1).assign(loss=lambda t: 1 - 0.3 * t["loss"].rank(pct=True)))
    assert found.table()["check"].tolist() == ["not_a_loss"]
    assert repr(found) == "Audit('table', 48 runs: not_a_loss (refuse))"
    assert str(found).splitlines()[1].startswith("- refuse: the loss rises with the sizes")
    assert json.loads(json.dumps(found.to_dict()))["status"] == "refuse"
    assert str(audit(clean(1))) == "table: 48 runs, nothing found."


def test_a_fit_s_verdict_holds_the_audit_and_a_loaded_one_too(tmp_path) -> None:
    table = clean(count=60)
    corpus = np.where(np.arange(60) % 2 == 0, "web", "books")
    moved = table.assign(corpus=corpus, loss=table["loss"] * np.where(corpus == "web", 1, 1.06))
    with pytest.warns(bs.errors.DiagnosticsWarning, match="column 'corpus'"):
        post = bs.fit(moved, "chinchilla", engine="laplace", seed=0)
    assert bs.Posterior.load(post.save(tmp_path / "fit.nc")).diagnosis == post.diagnosis


def test_the_command_line_prints_findings_and_refuses(tmp_path) -> None:
    path = tmp_path / "runs.csv"
    clean(2).assign(D=lambda t: t["D"] / 1e9).to_csv(path, index=False)
    result = CliRunner().invoke(app, ["audit", str(path)])
    assert result.exit_code == 5
    assert "- refuse: D/N is" in result.stdout
    clean(2).to_csv(path, index=False)
    result = CliRunner().invoke(app, ["audit", str(path), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["findings"] == []


SUGGESTED = {
    "two corpora": (lambda: _pooled(), "--groups corpus"),
    "a sweep": (lambda: swept()[0], "--best-of lr --best-of batch"),
    "checkpoints": (lambda: checkpoints(), "--column run=experiment --finals run"),
    "unnamed checkpoints": (lambda: checkpoints().drop(columns="experiment"), "--finals N"),
    "a crashed run": (lambda: _crashed(), "--only State=finished"),
    "millions": (lambda: clean(2).assign(N=lambda t: t["N"] / 1e6), "--unit N=1e6"),
}


def _pooled() -> pd.DataFrame:
    table = clean(count=60)
    corpus = np.where(np.arange(60) % 2 == 0, "web", "books")
    return table.assign(corpus=corpus, loss=table["loss"] * np.where(corpus == "web", 1, 1.06))


def _crashed() -> pd.DataFrame:
    table = clean(3).assign(State="finished")
    table.loc[[2, 9], "State"] = ["crashed", "failed"]
    return table


@pytest.mark.parametrize("name", SUGGESTED)
def test_the_command_that_is_suggested_runs_as_printed_and_quiets_the_audit(
    tmp_path, name: str
) -> None:
    make, command = SUGGESTED[name]
    path = tmp_path / "runs.csv"
    make().to_csv(path, index=False)
    first = CliRunner().invoke(app, ["audit", str(path), "--json"])
    (finding,) = (f for f in json.loads(first.stdout)["findings"] if f["severity"] != "note")
    assert finding["command"] == command
    if command.startswith("--groups"):
        return  # an option of fit alone
    second = CliRunner().invoke(app, ["audit", str(path), "--json", *shlex.split(command)])
    assert second.exit_code == 0, second.stderr
    assert json.loads(second.stdout)["status"] == "ok"


def test_a_filter_that_leaves_nothing_is_refused(tmp_path) -> None:
    path = tmp_path / "runs.csv"
    _crashed().to_csv(path, index=False)
    result = CliRunner().invoke(app, ["audit", str(path), "--only", "State=lost"])
    assert result.exit_code == 3
    assert "no row has lost in column 'State'; it holds crashed, failed, finished." in result.stderr
