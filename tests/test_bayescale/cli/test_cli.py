"""The command line: JSON, exit codes, one sentence for every fault."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale.cli.app import app
from bayescale.engines.samplers.laplace import Engine
from theory import laws

COLUMNS = ("--column", "N=Model Size", "--column", "C=Training FLOP")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_fit_prints_the_json_of_the_contract(table: Path) -> None:
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "--seed", "3", "--json")
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["schema_version"] == 1
    assert (answer["law"], answer["engine"], answer["seed"]) == ("share", "laplace", 3)
    assert answer["n_runs"] == 60
    assert set(answer["params"]) == {"E", "A", "B", "alpha", "beta", "q", "sigma", "nu"}
    assert {"mean", "sd", "q05", "q50", "q95", "r_hat", "ess_bulk"} <= set(answer["params"]["E"])
    assert answer["diagnostics"]["status"] == "ok", answer["diagnostics"]
    assert answer["diagnostics"]["reasons"] == []
    (note,) = answer["diagnostics"]["notes"]
    assert "the table's own larger runs" in note
    assert [sentence.split(":")[0] for sentence in answer["advice"]] == ["form", "belief", "next"]
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
        (("calibrate", "TABLE", "-o", "plot.bmp"), 2, "must be one of .png, .pdf, .svg"),
        (("calibrate", "TABLE", "-o", "absent/plot.png"), 3, "there is no such folder"),
        (("calibrate", "TABLE", "--law", "chinchila"), 2, "Did you mean 'chinchilla'"),
        (("calibrate", "TABLE", "--cut", "1e10"), 3, "leaves 0 runs below"),
        (("calibrate", "TABLE", "--law", "share", "--law", "share"), 2, "named twice"),
        (("compare", "SAVED"), 2, "there are 1 posteriors"),
        (("compare", "SAVED", "SAVED"), 2, "is given twice"),
        (("compare", "SAVED", "OTHER", "--by", "lof"), 2, "must be one of lfo, loo"),
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

    monkeypatch.setattr(Engine, "sample", interrupt)
    path = tmp_path / "fit.nc"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "-o", path)
    assert result.exit_code == 130
    assert not path.exists()


def test_the_version_is_the_package_s() -> None:
    assert run("--version").stdout.strip() == bs.__version__


def test_help_loads_nothing_heavy() -> None:
    """Speed is the benchmark's; what costs the time is that nothing heavy may be imported."""
    program = (
        "import sys; from bayescale.cli.app import app\n"
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


def test_check_exits_7_where_a_claim_is_refuted_and_says_which() -> None:
    result = run("check", "E + A*N**-alpha*(1 + log(N)) + B*D**-beta", "--json")
    assert result.exit_code == 7
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


@pytest.mark.slow
def test_collapse_says_what_the_table_tells_apart(table: Path, tmp_path: Path) -> None:
    picture = tmp_path / "collapse.png"
    result = run("collapse", table, *COLUMNS, "--json", "-o", picture)
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["tells_apart"] in (True, False)
    assert len(answer["advice"]) == 2
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
