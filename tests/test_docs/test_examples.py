"""What the README and the pages show can be typed: commands parse, calls exist, examples run."""

import ast
import inspect
import re
import runpy
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest
from typer.main import get_command

import bayescale as bs
from bayescale.cli.app import app

REPOSITORY = Path(__file__).resolve().parents[2]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

RUN = ("README.md", "docs/start.md", "docs/from_logs.md", "docs/gate.md")
"""Pages whose examples need nothing but what is shipped."""


def blocks(text: str, *languages: str) -> list[str]:
    return [code for language, code in BLOCK.findall(text) if language in languages]


def wrong_commands(text: str) -> list[str]:
    """Lines that the command line would not take."""
    found = []
    for line in "".join(blocks(text, "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["bayescale"]:
            continue
        command: Any = get_command(app)
        rest = words[1:]
        try:
            while hasattr(command, "commands"):
                command, rest = command.commands[rest[0]], rest[1:]
            command.make_context(rest[0] if rest else "", [*rest])
        except Exception as error:
            found.append(f"{line}: {type(error).__name__} {error}")
    return found


def made_of(call: Any, names: dict[str, Any]) -> Any:
    """What a call returns, by its annotation; None where it does not say."""
    function = reached(call.func, names)
    if inspect.isclass(function):
        return function
    try:
        kind = get_type_hints(inspect.unwrap(function)).get("return") if function else None
    except (NameError, TypeError):
        return None
    return None if inspect.isabstract(kind) else kind  # which has more than its kind declares


def reached(node: ast.AST, names: dict[str, Any]) -> Any:
    """What an expression names, or its class where it is a value; None where that is not known.

    Raises
    ------
    AttributeError
        If there is no such attribute.
    """
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Call):
        return made_of(node, names)
    if isinstance(node, ast.Attribute):
        before = reached(node.value, names)
        fields = getattr(before, "__dataclass_fields__", {})
        if before is None or node.attr in fields:
            return None
        thing = getattr(before, node.attr)
        return thing if callable(thing) or isinstance(thing, ModuleType) else None
    return None


def wrong_calls(code: str) -> Iterator[str]:
    """Attributes and keywords in a block of Python that do not exist."""
    names: dict[str, Any] = {"bs": bs}
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            (target,) = node.targets
            kind = made_of(node.value, names) if isinstance(target, ast.Name) else None
            if inspect.isclass(kind):
                names[ast.unparse(target)] = kind
    for node in ast.walk(tree):
        try:
            function = reached(node.func if isinstance(node, ast.Call) else node, names)
        except AttributeError as error:
            yield f"{ast.unparse(node)}: {error}"
            continue
        if isinstance(node, ast.Call) and callable(function):
            known = inspect.signature(function).parameters
            if any(one.kind is one.VAR_KEYWORD for one in known.values()):
                continue
            for keyword in node.keywords:
                if keyword.arg is not None and keyword.arg not in known:
                    yield f"{ast.unparse(node)}: no parameter {keyword.arg}"


def test_every_command_is_one_that_the_command_line_takes(pages):
    assert {path: wrong for path, text in pages.items() if (wrong := wrong_commands(text))} == {}


def options(group: Any) -> Iterator[str]:
    for one in getattr(group, "commands", {}).values():
        yield from options(one)
    for parameter in group.params:
        yield from (*parameter.opts, *parameter.secondary_opts)


def test_every_option_that_a_text_names_is_one_of_some_command(pages):
    known = {*options(get_command(app)), "--help"}
    named = {
        option
        for path, text in pages.items()
        for span in re.findall(r"`([^`\n]+)`", text)
        if span.startswith(("--", "-o", "bayescale "))
        for option in re.findall(r"(?<![\w-])--[\w-]+", span)
    }
    assert len(named) > 30
    assert named <= known


def test_every_call_in_python_exists_with_its_parameters(pages):
    shown = {
        p: "\n".join(blocks(text, "python")) for p, text in pages.items() if "notebooks/" not in p
    }
    assert {p: wrong for p, code in shown.items() if (wrong := [*wrong_calls(code)])} == {}


@pytest.mark.parametrize(
    "code",
    [
        "bs.fitt(runs)",
        "bs.fit(runs, sede=0)",
        "post = bs.fit(runs)\npost.outlier()",
        "bs.cost.gets('6ND')",
        "bs.Limits(n_max=3)",
    ],
)
def test_a_call_that_does_not_exist_is_noticed(code):
    assert [*wrong_calls(code)] != []


@pytest.mark.parametrize(
    "line", ["bayescale fitt runs.csv", "bayescale plan fit.nc --computes 1e24", "bayescale fit"]
)
def test_a_command_that_does_not_exist_is_noticed(line):
    assert len(wrong_commands(f"```sh\n{line}  # which does something\n```")) == 1


@pytest.mark.parametrize("kind", ["costs", "objectives"])
def test_what_a_page_of_a_plan_shows_plans(generated, kind):
    point = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    plain = bs.Posterior.from_draws("chinchilla", point)
    shared = {"E": 1.8, "A": 482.0, "B": 2085.0, "F": 3.0, "r_N": 0.35, "r_D": 0.37, "r_t": 0.4}
    timed = bs.Posterior.from_draws("dmft_terms", shared)
    for path, text in generated.items():
        if path.startswith(f"{kind}/") and (code := "".join(blocks(text, "python"))):
            post = timed if "at={" in code else plain
            assert eval(code.partition("=")[2], {"bs": bs, "post": post}).trusted, path


def test_the_likelihood_that_a_page_shows_is_one(generated):
    shown = [one for t in generated.values() for one in re.findall(r'likelihood="([^"]+)"', t)]
    assert len(shown) > 5
    for one in shown:
        assert bs.likelihoods.get(one).name == one.partition("(")[0]


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_the_examples_run_as_printed(page, tmp_path, monkeypatch):
    (tmp_path / "datasets").symlink_to(REPOSITORY / "datasets")
    code = "\n".join(blocks((REPOSITORY / page).read_text("utf-8"), "python"))
    (tmp_path / "example.py").write_text(code, "utf-8")
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bs.errors.BayescaleWarning)
        runpy.run_path("example.py")
    assert "import bayescale as bs" in code
