"""The command line: JSON, exit codes, one sentence for every fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale._calibrate import Calibration
from bayescale._fit import to_tree
from bayescale._forecast import Forecast
from bayescale._future import Cut, Outlook
from bayescale._groups import GroupPosterior
from bayescale.cli import app
from bayescale.diagnose import Diagnosis
from bayescale.engines import ENGINES
from bayescale.engines.engine import Draws
from bayescale.likelihood import LIKELIHOODS
from bayescale.posterior import Posterior, record_of
from theory import laws


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory, ladder: bs.Posterior) -> Path:
    """Sixty simulated runs under somebody's own column names."""
    assert ladder.runs is not None
    frame = ladder.runs.reset_index(drop=True)
    frame["Training FLOP"] = 6 * frame["N"] * frame["D"]
    path = tmp_path_factory.mktemp("cli") / "runs.csv"
    frame.rename(columns={"N": "Model Size"})[["Model Size", "Training FLOP", "loss"]].to_csv(
        path, index=False
    )
    return path


COLUMNS = ("--column", "N=Model Size", "--column", "C=Training FLOP")


@pytest.fixture(scope="module")
def saved(table: Path) -> Path:
    path = table.parent / "fit.nc"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def other(table: Path) -> Path:
    """The same runs under another law."""
    path = table.parent / "other.nc"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "--law", "share", "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def untrusted(refused: bs.Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return refused.save(tmp_path_factory.mktemp("cli") / "refused.nc")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_fit_prints_the_json_of_the_contract(table: Path) -> None:
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "--seed", "3", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["schema_version"] == 1
    assert (answer["law"], answer["engine"], answer["seed"]) == ("chinchilla", "laplace", 3)
    assert answer["n_runs"] == 60
    assert set(answer["params"]) == {"E", "A", "B", "alpha", "beta", "sigma", "nu"}
    assert {"mean", "sd", "q05", "q50", "q95", "r_hat", "ess_bulk"} <= set(answer["params"]["E"])
    assert answer["diagnostics"] == {"status": "ok", "reasons": []}
    assert "D computed as C / (6 N)" in result.stderr


def test_fit_prints_what_python_computes(saved: Path) -> None:
    answer = json.loads(run("summary", saved, "--json").stdout)
    summary = bs.Posterior.load(saved).summary()
    assert answer["params"]["alpha"]["mean"] == summary.loc["alpha", "mean"]
    assert answer["params"]["alpha"]["r_hat"] is None  # independent draws have none


def test_predict_prints_points(saved: Path) -> None:
    result = run("predict", saved, "--N", "7e9", "--D", "1e11", "--D", "2e11", "--json")
    points = json.loads(result.stdout)["points"]
    ours = bs.Posterior.load(saved).predict(N=7e9, D=[1e11, 2e11]).summary()
    assert [point["D"] for point in points] == [1e11, 2e11]
    assert [point["q50"] for point in points] == list(ours["q50"])
    assert set(points[0]) == {"N", "D", "mean", "sd", "q05", "q50", "q95"}


def test_plan_prints_plans(saved: Path) -> None:
    result = run("plan", saved, "--compute", "1e21", "--compute", "1e23", "--json")
    answer = json.loads(result.stdout)
    assert [plan["compute"] for plan in answer["plans"]] == [1e21, 1e23]
    assert set(answer["plans"][0]) == {"compute", "N", "D", "loss", "recommended"}
    assert set(answer["plans"][0]["N"]) == {"q10", "q50", "q90"}
    assert answer["trusted"] is True
    assert "times the largest run" in result.stderr


@pytest.mark.parametrize("name", ["fit", "summary", "predict", "plan"])
def test_people_get_tables(name: str, table: Path, saved: Path) -> None:
    arguments = {
        "fit": (table, *COLUMNS, "--engine", "laplace"),
        "summary": (saved,),
        "predict": (saved, "--N", "1e9", "--D", "1e10"),
        "plan": (saved, "--compute", "1e20"),
    }[name]
    result = run(name, *arguments)
    assert result.exit_code == 0, result.output
    assert "q50" in result.stdout


def test_laws_and_datasets_list_the_registries() -> None:
    assert [law["name"] for law in json.loads(run("laws", "--json").stdout)["laws"]] == list(
        laws.catalogue()
    )
    names = [entry["name"] for entry in json.loads(run("datasets", "--json").stdout)["datasets"]]
    assert {"epoch_chinchilla", "misfitting"} <= set(names)
    for command in ("laws", "datasets"):
        assert run(command).exit_code == 0


def test_priors_are_set_by_data_not_code(table: Path) -> None:
    options = ("--law", "share", "--prior", "q=1", "--prior", "alpha=LogNormal(mu=-1, sigma=0.1)")
    result = run("fit", table, *COLUMNS, "--engine", "laplace", *options, "--json")
    assert json.loads(result.stdout)["params"]["q"]["sd"] == 0
    result = run("fit", table, *COLUMNS, "--prior", "alpha=__import__('os').getcwd()")
    assert result.exit_code == 2
    assert "is not a prior" in result.stderr


def test_a_table_can_come_through_a_pipe(table: Path) -> None:
    result = CliRunner().invoke(
        app, ["fit", "-", *COLUMNS, "--engine", "laplace", "--json"], input=table.read_text()
    )
    assert json.loads(result.stdout)["n_runs"] == 60


@pytest.mark.parametrize("command", ["plan", "predict", "summary"])
def test_a_refused_posterior_exits_5_unless_forced(command: str, untrusted: Path) -> None:
    options = {
        "plan": ("--compute", "1e22"),
        "predict": ("--N", "1e9", "--D", "1e10"),
        "summary": (),
    }[command]
    result = run(command, untrusted, *options)
    assert result.exit_code == 5
    assert "not to be trusted" in result.stderr
    forced = run(command, untrusted, *options, "--force")
    assert forced.exit_code == 0
    assert "NOT TRUSTED" in forced.stdout
    assert (
        json.loads(run(command, untrusted, *options, "--force", "--json").stdout)["trusted"]
        is False
    )


FAULTS = {
    "ragged": ("N,D,loss\n1e8,1e10,3.0\n1e8,1e10,3.0,4.0\n", "row 2"),
    "text": ("N,D,loss\n1e8,1e10,3.0\n1e8,ten,3.1\n", "D"),
    "negative loss": ("N,D,loss\n1e8,1e10,-3.0\n2e8,1e10,3.1\n", "loss"),
    "zero size": ("N,D,loss\n1e8,1e10,3.0\n0,1e10,3.1\n", "N"),
    "no loss": ("N,D,los\n1e8,1e10,3.0\n", "loss"),
    "header only": ("N,D,loss\n", "0 rows|no rows"),
    "semicolons": ("N;D;loss\n1e8;1e10;3,1\n", ";"),
    "empty": ("", "empty|no header|0"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_table_exits_3_with_one_sentence(fault: str, tmp_path: Path) -> None:
    text, names = FAULTS[fault]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    result = run("fit", path)
    assert result.exit_code == 3, result.output
    assert "Traceback" not in result.output
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert any(name in errors[0] for name in names.split("|"))


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("fit", "no_such_file.csv"), 3, "there is no file"),
        (("fit", "tiny_ml"), 3, "Did you mean 'tiny_lm'"),
        (("fit", "runs.pkl"), 4, "pkl"),
        (("summary", "no_such_file.nc"), 3, "there is no file"),
        (("fit", "TABLE", "--law", "chinchila"), 2, "Did you mean 'chinchilla'"),
        (("fit", "TABLE", "--column", "N"), 2, "--column takes NAME=VALUE"),
        (("fit", "TABLE", "--prior", "alpha=Lognormal(mu=0, sigma=1)"), 2, "'LogNormal'"),
        (("plan", "SAVED", "--compute", "-1"), 2, "compute must be finite and above"),
        (("plan", "SAVED", "--compute", "1e22", "--cost", "7ND"), 2, "Did you mean '6ND'"),
        (("predict", "SAVED", "--N", "1e9"), 2, "predicts from N, D; got N"),
        (("fit", "TABLE", "--table", "a"), 2, "is a file; leave it out"),
        (("fit", "gadre_overtrain", "--table", "rpj/c4"), 3, "has no table 'rpj/c4'"),
        (("fit", "TABLE", "--likelihood", "rounded(step=-1)"), 2, "takes step=, a positive number"),
        (("fit", "TABLE", "--likelihood", "student"), 2, "Did you mean 'studentt'"),
        (("fit", "TABLE", "--groups", "corpus"), 3, "no column 'corpus'"),
        (("fit", "TABLE", "--groups", "corpus", "--no-drift"), 2, "does not go with --groups"),
        (("calibrate", "TABLE", "-o", "plot.bmp"), 2, "must be one of .png, .pdf, .svg"),
        (("calibrate", "TABLE", "-o", "absent/plot.png"), 2, "there is no such folder"),
        (("calibrate", "TABLE", "--law", "chinchila"), 2, "Did you mean 'chinchilla'"),
        (("calibrate", "TABLE", "--cut", "1e10"), 3, "leaves 0 runs below"),
        (("calibrate", "TABLE", "--law", "share", "--law", "share"), 2, "named twice"),
        (("compare", "SAVED"), 2, "there are 1 posteriors"),
        (("compare", "SAVED", "SAVED"), 2, "is given twice"),
        (("compare", "SAVED", "OTHER", "--by", "lof"), 2, "must be one of loo, lfo"),
        (("compare", "SAVED", "no_such_file.nc"), 3, "there is no file"),
    ],
)
def test_every_fault_has_its_exit_code(
    arguments: tuple[str, ...],
    code: int,
    sentence: str,
    table: Path,
    saved: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    names = {"TABLE": str(table), "SAVED": str(saved), "OTHER": str(other)}
    given = [names.get(argument, argument) for argument in arguments]
    extra = list(COLUMNS) if "TABLE" in arguments and "--column" not in arguments else []
    result = run(*given, *extra)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr
    assert "Traceback" not in result.output


def test_an_interrupted_fit_exits_130_and_writes_nothing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bayescale._fit.to_tree", interrupt)
    path = tmp_path / "fit.nc"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "-o", path)
    assert result.exit_code == 130
    assert not path.exists()


def test_the_version_is_the_package_s() -> None:
    assert run("--version").stdout.strip() == bs.__version__


def test_help_loads_nothing_heavy() -> None:
    """Speed is the benchmark's; what costs the time is that nothing heavy may be imported."""
    program = (
        "import sys; from bayescale.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'jax', 'sympy', 'numpy', 'pandas', 'numpyro', 'arviz_stats', 'matplotlib'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "heavy: []" in result.stdout


def test_the_installed_command_fits_a_table(table: Path, tmp_path: Path) -> None:
    """The console script itself, in a process of its own, with its own cache folder."""
    script = Path(sys.executable).parent / "bayescale"
    environment = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    result = subprocess.run(
        [script, "fit", table, *COLUMNS, "--engine", "laplace", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert np.isfinite(json.loads(result.stdout)["params"]["alpha"]["mean"])
    assert any((tmp_path / "cache").iterdir())


def test_check_prints_a_line_a_condition_and_passes_a_good_law() -> None:
    result = run("check", "chinchilla")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "chinchilla: E + A/N**alpha + B/D**beta"
    assert [line[:2] for line in lines[1:]] == [f"A{i}" for i in range(9)]


def test_check_exits_1_where_a_claim_is_refuted_and_says_which() -> None:
    result = run("check", "E + A*N**-alpha*(1 + log(N)) + B*D**-beta", "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["schema_version"] == 1
    assert "A0" in answer["broken"]
    assert "refuted although claimed: A0" in result.stderr


@pytest.mark.parametrize(
    ("law", "code", "sentence"),
    [
        ("chinchila", 2, "Did you mean 'chinchilla'?"),
        ("E + A*N**-alpha +", 2, "error: "),
        ("__import__('os').getcwd()", 4, "never run as code"),
        ("9**9**9 + A*N**-a", 4, "error: "),
    ],
)
def test_check_refuses_in_one_sentence(law: str, code: int, sentence: str) -> None:
    result = run("check", law)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_formula_is_fitted_from_the_command_line(table: Path, saved: Path) -> None:
    formula = "E + A*N**-alpha + B*D**-beta"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "--law", formula, "--json")
    assert result.exit_code == 0
    named = json.loads(run("summary", saved, "--json").stdout)["params"]["alpha"]["mean"]
    mine = json.loads(result.stdout)["params"]["alpha"]["mean"]
    assert mine == pytest.approx(named, rel=1e-9)


def test_laws_says_what_each_law_claims() -> None:
    answer = {law["name"]: law for law in json.loads(run("laws", "--json").stdout)["laws"]}
    assert len(answer) >= 30
    assert answer["share"]["weights"] == {"N": "alpha", "D": "beta"}
    assert answer["farseer"]["weights"] is None
    assert answer["chinchilla"]["contained_in"][0] == "share"
    assert answer["droppo"]["verified"] is False
    assert answer["kumar"]["parameters"]["gamma"]["unit"] == "bits"


def test_collapse_says_what_the_table_tells_apart(table: Path, tmp_path: Path) -> None:
    picture = tmp_path / "collapse.png"
    result = run("collapse", table, *COLUMNS, "--json", "-o", picture)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["tells_apart"] in (True, False)
    assert len(answer["reasons"]) == 2
    assert picture.stat().st_size > 10_000


def test_a_law_with_a_further_resource_predicts_from_the_shell(tmp_path: Path) -> None:
    model = bs.Model.at("frantar", pivot={"N": 1e8, "D": 1e10, "density": 0.3})
    rng = np.random.default_rng(0)
    design = {"N": 1e8 * np.exp(rng.uniform(-3, 3, 50)), "D": 1e10 * np.exp(rng.uniform(-3, 3, 50))}
    design["density"] = rng.uniform(0.05, 1.0, 50)
    made = model.simulate(design, seed=0, coordinates={"sigma": 0.003, "nu": 8.0}).runs
    made.table.to_csv(tmp_path / "runs.csv", index=False)
    saved = tmp_path / "fit.nc"
    fitted = run(
        "fit", tmp_path / "runs.csv", "--law", "frantar", "--engine", "laplace", "-o", saved
    )
    assert fitted.exit_code == 0, fitted.output
    sizes = ("--N", "1e9", "--D", "1e11")
    answer = json.loads(run("predict", saved, *sizes, "--at", "density=0.5", "--json").stdout)
    assert answer["points"][0]["density"] == 0.5
    wrong = run("predict", saved, *sizes, "--at", "density=half")
    assert wrong.exit_code == 2
    assert "--at density takes a number; got 'half'." in wrong.stderr


def test_runs_without_scatter_are_refused_in_a_sentence(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 9, 40), 10 ** rng.uniform(9, 11, 40)
    loss = 1.7 + 400 * n**-0.34 + 410 * d**-0.28
    path = tmp_path / "exact.csv"
    rows = "\n".join(f"{a},{b},{c}" for a, b, c in zip(n, d, loss, strict=True))
    path.write_text(f"N,D,loss\n{rows}\n")
    result = run("fit", path, "--engine", "laplace")
    assert result.exit_code in (0, 5)
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


# --- the options of fit


def help_of(command: str, option: str) -> str:
    found = typer.main.get_command(app).get_command(None, command)  # type: ignore[attr-defined]
    (text,) = [p.help for p in found.params if p.name == option]
    return text


def test_the_help_names_every_likelihood_and_engine() -> None:
    """It is written out, so that asking for it imports nothing."""
    for command in ("fit", "calibrate"):
        words = help_of(command, "likelihood").replace(",", " ").replace(";", " ").split()
        assert set(LIKELIHOODS) <= set(words)
        assert "rounded(step=0.01)" in help_of(command, "likelihood")
    assert all(name in help_of("fit", "engine") for name in ENGINES)


def test_without_drift_the_law_is_taken_as_exact(saved: Path, table: Path, tmp_path: Path) -> None:
    far = ("--N", "1e13", "--D", "1e15", "--json")
    with_drift = json.loads(run("predict", saved, *far).stdout)["points"][0]
    without = json.loads(run("predict", saved, *far, "--no-drift").stdout)["points"][0]
    assert without["sd"] < 0.9 * with_drift["sd"]
    exact = tmp_path / "exact.nc"
    fitted = run("fit", table, *COLUMNS, "--engine", "laplace", "--no-drift", "-o", exact)
    assert fitted.exit_code == 0, fitted.output
    assert json.loads(run("predict", exact, *far).stdout)["points"][0] == without


def test_a_dataset_s_table_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def load(name: str, **options: object) -> bs.Runs:
        asked[name] = options
        return bs.read_runs(pd.DataFrame({"N": [1e8], "D": [1e10], "loss": [3.0]}))

    monkeypatch.setattr("bayescale.data.load", load)
    result = run("fit", "gadre_overtrain", "--table", "rpj/c4_val")
    assert result.exit_code == 3  # one run is too few, which is said after it was loaded
    assert asked == {"gadre_overtrain": {"table": "rpj/c4_val", "columns": None}}


def test_datasets_says_how_many_tables_each_has() -> None:
    found = {d["name"]: d for d in json.loads(run("datasets", "--json").stdout)["datasets"]}
    assert "rpj/c4_val" in found["gadre_overtrain"]["tables"]
    assert found["tiny_lm"]["tables"] == []
    lines = {line.split()[0]: line for line in run("datasets").stdout.splitlines() if line.strip()}
    assert f" {len(found['gadre_overtrain']['tables'])} " in lines["gadre_overtrain"]
    assert " 1 " in lines["tiny_lm"]


@pytest.fixture(scope="module")
def grouped() -> GroupPosterior:
    """Draws for two groups, made and not fitted."""
    rng = np.random.default_rng(0)
    model = bs.Model.at("power_D", pivot={"D": 1e10}).pooled("corpus", ("a", "b"))
    design = {"D": 1e10 * np.exp(rng.uniform(-3, 3, 20)), "corpus": np.repeat(["a", "b"], 10)}
    runs = model.simulate(pd.DataFrame(design), seed=1).runs
    sites = {
        name: rng.uniform(0.2, 0.4, (2, 100, 2) if shape else (2, 100))
        for name, shape in model.shapes.items()
    }
    record = record_of(runs, engine="numpyro", seed=5, facts={})
    tree = to_tree(model, runs, Draws(sites, {}))
    return GroupPosterior(Posterior(model.law, model, tree, Diagnosis(), record))


def test_groups_are_fitted_printed_and_saved(
    grouped: GroupPosterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def fit_groups(runs: bs.Runs, law: str, **options: object) -> GroupPosterior:
        asked.update(options, law=law)
        return grouped

    monkeypatch.setattr("bayescale._groups.fit_groups", fit_groups)
    table, saved = tmp_path / "runs.csv", tmp_path / "groups.nc"
    table.write_text("D,loss,corpus,half\n1e9,3.1,a,x\n2e9,3.0,b,y\n")
    options = ("--law", "power_D", "--groups", "corpus", "--groups", "half", "--seed", "5")
    result = run("fit", table, *options, "--json", "-o", saved)
    assert result.exit_code == 0, result.output
    assert asked["groups"] == ["corpus", "half"]
    assert (asked["law"], asked["seed"], asked["engine"]) == ("power_D", 5, "numpyro")
    assert "drift" not in asked
    answer = json.loads(result.stdout)
    assert answer["schema_version"] == 1
    assert (answer["law"], answer["n_runs"], answer["trusted"]) == ("power_D", 20, True)
    ours = grouped.summary(groups=True)
    assert answer["groups"]["b"]["alpha"]["q95"] == ours.loc[("b", "alpha"), "q95"]
    assert answer["population"]["alpha_spread"]["mean"] == pytest.approx(
        grouped.summary().loc["alpha_spread", "mean"]
    )
    assert json.loads(run("summary", saved, "--json").stdout) == answer
    text = run("summary", saved).stdout
    assert "2 groups by corpus" in text
    assert "alpha_spread" in text


# --- compare


def test_compare_ranks_saved_posteriors_under_the_names_of_their_laws(
    saved: Path, other: Path
) -> None:
    result = run("compare", saved, other, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["schema_version"], answer["by"], answer["trusted"]) == (1, "loo", True)
    table = bs.compare({"chinchilla": bs.Posterior.load(saved), "share": bs.Posterior.load(other)})
    assert [row["posterior"] for row in answer["posteriors"]] == list(table.index)
    assert [row["elpd"] for row in answer["posteriors"]] == list(table["elpd"])
    text = run("compare", saved, other).stdout
    assert "chinchilla" in text
    assert "share" in text


def test_posteriors_of_one_law_go_by_the_names_of_their_files(
    saved: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def compare(posteriors: dict, **options: object) -> pd.DataFrame:
        seen.append(list(posteriors))
        return pd.DataFrame({"elpd": [0.0]}, index=pd.Index(["x"], name="posterior"))

    monkeypatch.setattr("bayescale._compare.compare", compare)
    second = saved.parent / "again.nc"
    folder = saved.parent / "folder"
    folder.mkdir()
    for copy in (second, folder / "fit.nc"):
        copy.write_bytes(saved.read_bytes())
    run("compare", saved, other, second)
    run("compare", saved, folder / "fit.nc")
    assert seen == [["fit", "share", "again"], [str(saved), str(folder / "fit.nc")]]


def test_compare_refuses_a_refused_posterior_unless_forced(
    ladder: bs.Posterior, untrusted: Path, tmp_path: Path
) -> None:
    good = ladder.save(tmp_path / "good.nc")
    refused = run("compare", good, untrusted)
    assert refused.exit_code == 5
    forced = run("compare", good, untrusted, "--force")
    assert forced.exit_code == 0
    assert "NOT TRUSTED" in forced.stdout
    answer = json.loads(run("compare", good, untrusted, "--force", "--json").stdout)
    assert answer["trusted"] is False
    assert {row["posterior"] for row in answer["posteriors"]} == {"good", "refused"}


def test_compare_says_which_rows_are_not_reliable(
    saved: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bayescale._compare.MAX_PARETO_K", -1.0)
    result = run("compare", saved, other, "--json")
    assert result.exit_code == 0
    assert "warning: leaving one run out changes the posterior too much" in result.stderr
    assert not any(row["reliable"] for row in json.loads(result.stdout)["posteriors"])


# --- calibrate


@pytest.mark.slow
def test_calibrate_forecasts_the_larger_runs_of_a_file(tmp_path: Path) -> None:
    model = bs.Model.at("power_D", pivot={"D": 1e10})
    at = {"sigma": 0.005, "nu": 20.0, "alpha": 0.3, "floor_fraction": 0.5, "L_pivot": 2.7}
    made = model.simulate({"D": np.geomspace(1e8, 1e11, 14)}, seed=2, coordinates=at).runs
    table, picture = tmp_path / "runs.csv", tmp_path / "plot.png"
    made.table.rename(columns={"D": "Data"})[["Data", "loss"]].to_csv(table, index=False)
    options = ("--law", "power_D", "--cut", "9e9", "--column", "D=Data", "--seed", "3")
    result = run("calibrate", table, *options, "-o", picture, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["schema_version"], answer["seed"]) == (1, 3)
    (row,) = answer["table"]
    ahead = int(np.sum(made.column("D") >= 9e9))
    assert (row["law"], row["cut"], row["n_future"]) == ("power_D", 9e9, ahead)
    assert row["n_past"] == 14 - ahead
    (sentence,) = answer["reasons"]
    assert f"of {ahead} forecasts of larger runs" in sentence
    assert set(answer["drifts"]) == {"power_D"}
    assert picture.stat().st_size > 10_000


def test_calibrate_gives_people_means_and_reasons(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    runs = bs.read_runs(pd.DataFrame({"D": [1e8, 1e9, 1e10], "loss": [3.0, 2.8, 2.6]}))
    future = np.array([False, True, True])
    one = Forecast(np.zeros(2), rng.normal(0.0, 1.0, (200, 2)), np.full(2, -1.0))
    outlook = Outlook(runs, (Cut(1e9, ~future, future, 100.0),), {}, {"a": (one,), "b": (one,)})
    weights = pd.DataFrame({"cut": [1e9], "a": [0.5], "b": [0.5]}).set_index("cut")
    asked = {}

    def calibrate(runs: bs.Runs, law: object, **options: object) -> Calibration:
        asked.update(options, law=law)
        return Calibration(outlook, (one,), weights, {}, 0)

    monkeypatch.setattr("bayescale._calibrate.calibrate", calibrate)
    options = (*COLUMNS, "--cut", "1e18", "--cut", "1e19", "--likelihood", "normal")
    result = run("calibrate", table, *options)
    assert result.exit_code == 0, result.output
    assert asked["law"] == ("chinchilla", "share")
    assert (asked["cuts"], asked["likelihood"]) == ([1e18, 1e19], "normal")
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.split()[:1] in (["a"], ["b"], ["stack"])]
    assert lines[-3:] == [
        f"{name}: 90% intervals covered 100% of 2 forecasts of larger runs; the intervals are "
        "wider than they need be."
        for name in ("a", "b", "stack")
    ]
    answer = json.loads(run("calibrate", table, *options, "--law", "x", "--json").stdout)
    assert asked["law"] == ["x"]
    assert answer["weights"] == [{"cut": 1e9, "a": 0.5, "b": 0.5}]
