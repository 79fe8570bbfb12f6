"""To add a thing is to add one file: a toy of every kind, in a folder outside the package.

Each toy is then listed, named in help and in error messages, used from end to end, and among what
the contracts below and those of the kind's own tests run over.
"""

import dataclasses
import hashlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from matplotlib.figure import Figure
from typer.testing import CliRunner

import bayescale as bs
from bayescale import engines, plots
from bayescale.cli.app import fill
from bayescale.cost import COSTS, AbstractCost
from bayescale.engines import ENGINES
from bayescale.engines.engine import AbstractEngine
from bayescale.errors import DatasetError, Exit, RunsError, UsageError
from bayescale.logs.formats import FORMATS
from bayescale.models import likelihoods
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.planning import objectives
from bayescale.planning.objectives import OBJECTIVES
from bayescale.plots import FIGURES
from bayescale.registry import Folder, defined, names, options
from bayescale.reporting.sections import SECTIONS
from bayescale.runs import datasets
from bayescale.runs.readers import READERS
from tests.test_bayescale.conftest import run
from theory import laws
from theory.admissibility.admissible import conditions
from theory.errors import UnknownLaw


def toy(kind: str) -> str:
    """Name of the toy of a kind; no two are alike, so that none is taken for another."""
    return f"toy_{kind.replace(' ', '_')}"


LAW = """
from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import D

E, B, beta = s.floor(), s.amplitude("B", of=D), s.exponent("beta", of=D)
toy_law = Law(
    name="toy_law", title="a toy", resources=(D,), parameters=(E, B, beta),
    formula=E + B * D**-beta, floor=E, weights={D: beta.symbol}, source="nowhere",
    citation="hoffmann2022",
)
"""

CONDITION = """
from theory.admissibility.condition import Condition
from theory.admissibility.verdict import Status, Verdict


def decide(law):
    return Verdict("A9", Status.UNKNOWN, "nobody asked.")


CONDITION = Condition("A9", "toy_condition", decide)
"""

LIKELIHOOD = """
from dataclasses import dataclass

from bayescale.distributions.prior import Prior
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.noise import Noise


@dataclass(frozen=True)
class Toy(AbstractLikelihood):
    name = "toy_likelihood"
    wide: float = 1.0

    def priors(self):
        return {"sigma": Prior.around(0.01, 1.0)}

    def noise(self, log_loss, parameters, rows, ops):
        return Noise("Normal", {"mu": log_loss, "sigma": self.wide * parameters["sigma"]})
"""

ENGINE = """
from bayescale.engines.engine import AbstractEngine
from bayescale.engines.samplers.laplace import Engine as Laplace


class Engine(AbstractEngine):
    meaning = "Laplace, for play"
    packages = ("jax",)

    def sample(self, model, runs, sampling):
        sampling.progress("playing")
        return Laplace().sample(model, runs, sampling)
"""

OBJECTIVE = """
from dataclasses import dataclass

from bayescale.planning.objective import AbstractObjective


@dataclass(frozen=True)
class Toy(AbstractObjective):
    meaning = "mean loss over draws, for play"

    @property
    def name(self):
        return "toy_objective"

    def risk(self, losses, best, ops):
        return ops.mean(losses, axis=0)
"""

COST = """
from bayescale.cost.cost import ProductCost
from theory.declaration.symbols import D, N

COST = ProductCost("toy_cost", "nowhere", 12.0, {N: 1, D: 1})
"""

READER = """
import io

import pandas as pd
import pyarrow as pa

from bayescale.runs.reader import AbstractReader, Source


class Reader(AbstractReader):
    title = "toy lines"
    suffixes = (".feather",)
    marks = (b"TOY",)

    def open(self, file, name, max_rows):
        table = pa.Table.from_pandas(pd.read_json(io.BytesIO(file.read()[3:]), lines=True))
        return Source(name, table.column_names, True, iter(table.to_batches()))
"""

LOGS = """
import pyarrow as pa

from bayescale.logs.format import AbstractFormat
from bayescale.logs.run_log import RunLog


class Format(AbstractFormat):
    title = "toy logs"

    def claims(self, path):
        return path.suffix == ".toy"

    def read(self, path):
        numbers = [float(word) for word in path.read_text().split()]
        steps = pa.array(range(len(numbers)), pa.int64())
        yield RunLog(path.stem, str(path), pa.table({"step": steps, "loss": numbers}))
"""

FIGURE = """
from matplotlib.figure import Figure


def toy_plot() -> Figure:
    \"\"\"Draw nothing.\"\"\"
    return Figure()
"""

SECTION = """
from bayescale.reporting.blocks import Paragraph
from bayescale.reporting.section import Section

SECTION = Section(99, "A toy", lambda subject: [Paragraph("Played.")])
"""

VERB = """
from bayescale.cli.output import write


def toy_verb() -> None:
    \"\"\"Play.\"\"\"
    write("played")
"""


@dataclass(frozen=True)
class Kind:
    """A kind of thing: its folder, the source of its toy, and where its names must appear.

    `told` gives the message about an unknown name; `shown` is the option or the command of the
    command line that lists the names.
    """

    folder: str
    source: str
    known: Callable[[], Mapping[str, Any]]
    told: Callable[[], object]
    shown: tuple[str, ...] = ()


def unreadable() -> None:
    bs.read_runs("runs.xlsx")


KINDS = {
    "law": Kind("theory.laws", LAW, laws.catalogue, lambda: laws.get("tooy")),
    "likelihood": Kind(
        "bayescale.models.likelihoods",
        LIKELIHOOD,
        lambda: LIKELIHOODS,
        lambda: likelihoods.get("tooy"),
        ("fit", "calibrate"),
    ),
    "engine": Kind(
        "bayescale.engines.samplers",
        ENGINE,
        lambda: ENGINES,
        lambda: engines.get("tooy"),
        ("fit", "calibrate"),
    ),
    "objective": Kind(
        "bayescale.planning.objectives",
        OBJECTIVE,
        lambda: OBJECTIVES,
        lambda: objectives.get("tooy"),
        ("plan",),
    ),
    "cost": Kind(
        "bayescale.cost.costs",
        COST,
        lambda: COSTS,
        lambda: bs.cost.get("tooy"),
        ("plan", "design"),
    ),
    "file format": Kind(
        "bayescale.runs.readers", READER, lambda: READERS, unreadable, ("fit", "regime")
    ),
    "format of logs": Kind(
        "bayescale.logs.formats",
        LOGS,
        lambda: FORMATS,
        lambda: bs.read_logs(".", format="tooy"),
        ("read",),
    ),
    "plot": Kind("bayescale.plots.figures", FIGURE, lambda: FIGURES, lambda: plots.tooy),
    "condition": Kind(
        "theory.admissibility.conditions",
        CONDITION,
        lambda: {one.title: one for one in conditions().values()},
        lambda: None,
    ),
    "section of a report": Kind(
        "bayescale.reporting.sections", SECTION, lambda: SECTIONS, lambda: None
    ),
    "verb": Kind(
        "bayescale.cli.commands",
        VERB,
        lambda: Folder("bayescale.cli.commands", lambda module: module),
        lambda: None,
        ("",),
    ),
}
every = pytest.mark.parametrize("kind", KINDS)
UNASKED = ("condition", "section of a report", "verb")
"""Kinds of which nobody asks for one by name."""
ERRORS = (UsageError, RunsError, UnknownLaw, AttributeError)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Package -> a folder outside of it, with one toy."""
    places = {}
    for name, kind in KINDS.items():
        folder = tmp_path_factory.mktemp("toys")
        (folder / f"{toy(name)}.py").write_text(kind.source)
        places[kind.folder] = str(folder)
    return places


@pytest.fixture
def toys(outside: dict[str, str]) -> Iterator[None]:
    """The toys are there, and gone afterwards."""
    for package, folder in outside.items():
        import_module(package).__path__.append(folder)
    yield
    for name, kind in KINDS.items():
        import_module(kind.folder).__path__.remove(outside[kind.folder])
        sys.modules.pop(f"{kind.folder}.{toy(name)}", None)


@pytest.fixture(scope="module")
def pages(outside: dict[str, str]) -> dict[str, str]:
    """Help of the commands in a process of its own that starts with the toys."""
    program = (
        "import json, sys\n"
        "from importlib import import_module\n"
        "for package, folder in json.loads(sys.argv[1]).items():\n"
        "    import_module(package).__path__.append(folder)\n"
        "from typer.testing import CliRunner\n"
        "from bayescale.cli.app import app\n"
        "pages = {name: CliRunner().invoke(app, [*name.split(), '--help']).output\n"
        "         for name in json.loads(sys.argv[2])}\n"
        "print(json.dumps(pages))\n"
    )
    asked = sorted({name for kind in KINDS.values() for name in kind.shown})
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(outside), json.dumps(asked)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


# --- every kind


@every
def test_a_toy_is_known_while_its_folder_is(kind: str, outside: dict[str, str]):
    one = KINDS[kind]
    before = [*one.known()]
    assert toy(kind) not in before
    package = import_module(one.folder)
    package.__path__.append(outside[one.folder])
    try:
        assert sorted(one.known()) == sorted([*before, toy(kind)])
        assert one.known()[toy(kind)] is not None
    finally:
        package.__path__.remove(outside[one.folder])
        sys.modules.pop(f"{one.folder}.{toy(kind)}", None)
    assert [*one.known()] == before


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("kind", [n for n, k in KINDS.items() if n not in UNASKED])
def test_the_message_about_an_unknown_name_lists_all_and_the_toy(kind: str):
    known = KINDS[kind].known()
    assert toy(kind) in known
    with pytest.raises(ERRORS) as caught:
        KINDS[kind].told()
    listed = [one.title for one in READERS.values()] if kind == "file format" else known
    assert all(re.search(rf"\b{re.escape(name)}", str(caught.value)) for name in listed)


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.shown])
def test_the_help_of_a_command_lists_all_and_the_toy(kind: str, pages: dict[str, str]):
    for command in KINDS[kind].shown:
        words = re.findall(r"[\w-]+", pages[command])
        assert {*KINDS[kind].known(), toy(kind)} <= {*words}


def test_the_help_of_fit_lists_the_options_of_likelihoods_and_of_the_toy(pages: dict[str, str]):
    shown = " ".join(re.sub("[│]", " ", pages["fit"]).split())
    for name, likelihood in LIKELIHOODS.items():
        own = [field.name for field in dataclasses.fields(likelihood)]
        assert (f"{name}({', '.join(own)})" if own else f" {name}") in shown
    assert "toy_likelihood(wide)" in shown


# --- each from end to end


@pytest.mark.usefixtures("toys")
def test_a_toy_law_is_listed_checked_and_compiled():
    listed = json.loads(run("laws", "--json").stdout)["laws"]
    assert toy("law") in {law["name"] for law in listed}
    assert run("check", toy("law")).exit_code == Exit.DONE
    assert bs.check(toy("law")).summary()["status"]["A0"] == "proved"
    at = {"E": 1.0, "B": 2.0, "beta": 0.5}
    assert laws.get(toy("law")).loss(D=4.0, **at) == pytest.approx(2.0)


@pytest.mark.usefixtures("toys")
def test_a_toy_section_stands_in_the_report_at_its_place(tmp_path: Path):
    draws = {"E": [1.8], "A": [480.0], "B": [2085.0], "alpha": [0.35], "beta": [0.37]}
    post = bs.Posterior.from_draws("chinchilla", draws)
    text = bs.report(post, path=tmp_path / "report.html").read_text("utf-8")
    titles = re.findall("<h2>(.*?)</h2>", text)
    assert titles[-3:] == ["Provenance", "A toy", "Glossary"]
    assert "<p>Played.</p>" in text


@pytest.mark.usefixtures("toys")
def test_a_toy_condition_gets_its_verdict():
    assert bs.check("chinchilla").summary().loc["A9", "status"] == "unknown"
    assert "A9 toy_condition" in run("check", "chinchilla").stdout


@pytest.mark.usefixtures("toys")
def test_a_toy_option_of_a_likelihood_is_read_refused_and_listed():
    assert dataclasses.asdict(likelihoods.get("toy_likelihood(wide=2.5)")) == {"wide": 2.5}
    assert options("bayescale.models.likelihoods")["toy_likelihood"] == ["wide"]
    with pytest.raises(
        UsageError, match=r"option 'wide' of likelihood 'toy_likelihood' takes a number"
    ):
        likelihoods.get("toy_likelihood(wide=very)")
    with pytest.raises(UsageError, match=r"no option 'wied'; it takes wide\."):
        likelihoods.get("toy_likelihood(wied=2)")


@pytest.mark.usefixtures("toys")
def test_a_toy_engine_and_likelihood_fit_and_a_toy_objective_and_cost_plan(ladder: bs.Posterior):
    assert ladder.runs is not None
    said: list[str] = []
    toys = {"engine": toy("engine"), "likelihood": toy("likelihood")}
    post = bs.fit(ladder.runs, **toys, draws=100, progress=said.append)
    assert post.record["engine"] == toy("engine")
    assert said[0] == "playing"
    toys = {"objective": toy("objective"), "cost": toy("cost")}
    dear = bs.plan(ladder, compute=1e21, **toys, force=True)
    half = bs.plan(ladder, compute=5e20, objective="expected_loss", force=True)
    assert dear.objective.name == toy("objective")
    for name in ("N", "D"):  # 12 N D of a budget are 6 N D of its half
        np.testing.assert_allclose(dear.recommended[name], half.recommended[name], rtol=1e-9)


@pytest.mark.usefixtures("toys")
def test_a_toy_file_format_is_read_by_its_suffix_and_by_its_first_bytes(tmp_path: Path):
    frame = pd.DataFrame({"N": [1e6, 2e6], "D": [1e8, 2e8], "loss": [3.5, 3.25]})
    for name in ("runs.feather", "runs.dat"):
        path = tmp_path / name
        path.write_text("TOY" + frame.to_json(orient="records", lines=True))
        runs = bs.read_runs(path)
        np.testing.assert_array_equal(runs.loss, frame["loss"])
    assert bs.read_runs(tmp_path / "runs.feather").name == "runs"


def test_without_the_toy_its_format_is_refused(tmp_path: Path):
    (tmp_path / "runs.feather").write_text('TOY{"N": 1}')
    with pytest.raises(RunsError, match=r"ending in \.feather are not read; save the table as CSV"):
        bs.read_runs(tmp_path / "runs.feather")


@pytest.mark.usefixtures("toys")
def test_a_toy_plot_draws():
    assert toy("plot") in dir(plots)
    assert isinstance(getattr(plots, toy("plot"))(), Figure)


@pytest.mark.usefixtures("toys")
def test_a_toy_verb_runs_and_is_offered_for_a_misspelt_one():
    fresh = typer.Typer()
    fill(fresh)
    assert CliRunner().invoke(fresh, [toy("verb")]).output == "played\n"
    assert "Did you mean 'toy_verb'" in CliRunner().invoke(fresh, ["toy_vreb"]).output


def test_a_toy_dataset_is_listed_loaded_and_named_in_the_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    text = "N,D,loss\n1e6,1e8,3.5\n2e6,2e8,3.25\n"
    (tmp_path / toy("dataset")).mkdir()
    (tmp_path / toy("dataset") / "runs.csv").write_text(text)
    fields = dict.fromkeys(("title", "description", "source", "licence"), "toy")
    fields |= {"name": toy("dataset"), "file": "runs.csv"}
    fields |= {"sha256": hashlib.sha256(text.encode()).hexdigest()}
    card = "\n".join(f'{key} = "{value}"' for key, value in fields.items())
    (tmp_path / toy("dataset") / "card.toml").write_text(card)
    monkeypatch.setattr(datasets, "_datasets_folder", lambda: tmp_path)
    assert [*datasets.cards()] == [*bs.datasets().index] == [toy("dataset")]
    assert len(bs.load(toy("dataset"))) == 2
    assert [c["name"] for c in json.loads(run("datasets", "--json").stdout)["datasets"]] == [
        toy("dataset")
    ]
    with pytest.raises(
        DatasetError, match=r"Did you mean 'toy_dataset'\? Known datasets: toy_dataset\."
    ):
        bs.load("toy_datset")


# --- contracts of kinds that have no other, over the whole folder and the toy


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", [*ENGINES, toy("engine")])
def test_an_engine_says_what_it_does_and_draws_by_one_signature(name: str):
    engine = engines.get(name)
    assert isinstance(engine, AbstractEngine)
    assert engine.meaning
    promised = inspect.signature(AbstractEngine.sample).parameters
    assert [*inspect.signature(engine.sample).parameters] == [*promised][1:]


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", [*COSTS, toy("cost")])
def test_a_cost_is_called_after_its_file_and_says_whence_it_is(name: str):
    assert isinstance(COSTS[name], AbstractCost)
    assert COSTS[name].name == name
    assert COSTS[name].source


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", [*READERS, toy("file format")])
def test_a_file_format_has_a_title_and_endings_of_its_own(name: str):
    reader = READERS[name]
    assert reader.title
    assert reader.suffixes
    others = [one for other, one in READERS.items() if other != name]
    assert all(suffix[0] == "." and suffix == suffix.lower() for suffix in reader.suffixes)
    assert not {*reader.suffixes} & {suffix for one in others for suffix in one.suffixes}
    assert not {*reader.marks} & {mark for one in others for mark in one.marks}


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", [*FIGURES, toy("plot")])
def test_a_plot_returns_a_figure_and_says_what_it_draws(name: str):
    assert FIGURES[name] is getattr(plots, name)
    assert inspect.signature(FIGURES[name]).return_annotation in (Figure, "Figure")
    assert (FIGURES[name].__doc__ or "").startswith("Draw ")


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", [*names("bayescale.cli.commands"), toy("verb")])
def test_a_verb_has_help_with_the_exit_codes(name: str):
    fresh = typer.Typer()
    fill(fresh)
    shown = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(fresh, [name, "--help"])
    assert shown.exit_code == Exit.DONE
    module = import_module(f"bayescale.cli.commands.{name}")
    if (verb := getattr(module, name, None)) is not None:  # else a group of verbs
        assert inspect.getdoc(verb).splitlines()[0].split(".")[0] in shown.output
        assert "Exit codes: " in shown.output


# --- the folder itself


def test_names_are_read_without_importing_the_folder_or_what_is_in_it():
    program = (
        "import sys; from bayescale.registry import names\n"
        "print(names('bayescale.engines.samplers'), 'bayescale.engines' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == f"{[*ENGINES]} False"


def test_a_folder_that_is_none_is_refused():
    with pytest.raises(ModuleNotFoundError, match=r"no package bayescale\.absent"):
        names("bayescale.absent")


def test_a_file_with_two_classes_of_a_kind_is_refused():
    module = import_module("bayescale.models.likelihoods.normal")
    assert defined(module, likelihoods.AbstractLikelihood) is LIKELIHOODS["normal"]
    with pytest.raises(TypeError, match="must define one AbstractCost, but defines none"):
        defined(module, AbstractCost)


# --- nothing re-types the names


def retyped(text: str, known: Mapping[str, Any]) -> set[str]:
    """Quoted names that stand in one clause of a text with another, which makes a list of them."""
    quoted = "|".join(map(re.escape, known))
    found = [
        re.findall(rf"[\"'`]({quoted})(?:\([^)]*\))?[\"'`]", clause)
        for clause in re.split(r"[;:]\s|\.\s", text)
    ]
    return {name for names in found if len({*names}) > 1 for name in names}


LISTED = {"likelihood": LIKELIHOODS, "engine": ENGINES, "objective": OBJECTIVES, "cost": COSTS}


@pytest.mark.parametrize("name", sorted(bs.__all__))
def test_no_docstring_of_a_public_name_retypes_a_list(name: str):
    text = inspect.getdoc(getattr(bs, name)) or ""
    assert [*filter(None, (retyped(text, known) for known in LISTED.values()))] == []


def test_a_list_is_noticed_but_not_a_default_beside_an_example():
    assert retyped('``"studentt"`` (robust) or ``"normal"``', LIKELIHOODS) == {"studentt", "normal"}
    assert retyped('``"cvar(0.9)"`` or ``"median"``', OBJECTIVES) == {"cvar", "median"}
    assert retyped('by default ``"median"``; a level as in ``"cvar(0.9)"``', OBJECTIVES) == set()


@pytest.mark.usefixtures("toys")
def test_logs_of_the_toy_format_become_a_table(tmp_path: Path):
    (tmp_path / "a.toy").write_text("3.0 2.5 2.25")
    logs = bs.read_logs(tmp_path)
    assert logs.runs["format"].tolist() == [toy("format of logs")]
    assert logs.to_runs(N=1e6, tokens_per_step=10).loss.tolist() == [2.25]
