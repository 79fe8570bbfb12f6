"""Exit codes are given in one place, and every text that names one agrees with it."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bayescale import errors
from bayescale.cli.app import app
from bayescale.errors import BayescaleError, Exit

REPOSITORY = Path(__file__).resolve().parents[3]
TOLD = re.compile(r"\bexits?(?: with)? (\d+) (?:where|if) ([^.\n`]*)")
"""How a text says that something has an exit code."""
TYPED = re.compile(r"Exit\(\s*\d|exit_code = \d|\bexits?(?: with)? \d|exit\(\d")


def help_of(*command: str) -> str:
    shown = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"}).invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    return " ".join(re.sub("[│╭╮╰╯─]", " ", shown.output).split())


def test_an_error_on_purpose_never_exits_like_a_crash():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    on_purpose = [k for k in kinds if issubclass(k, BayescaleError) and k is not BayescaleError]
    assert len(on_purpose) > 4
    assert all(kind.exit_code not in (Exit.DONE, Exit.CRASH) for kind in on_purpose)


@pytest.mark.parametrize("command", [(), ("fit",), ("plan",), ("check",), ("simulate", "dmft")])
def test_help_tells_every_exit_code(command):
    assert Exit.sentence() in help_of(*command)


@pytest.mark.parametrize("name", ["docs/start.md", "CHANGELOG.md"])
def test_what_a_text_says_of_an_exit_code_is_its_meaning(name):
    told = TOLD.findall((REPOSITORY / name).read_text("utf-8"))
    assert told
    for code, rest in told:
        assert Exit(int(code)).meaning in " ".join(rest.split())


def test_no_module_but_errors_types_an_exit_code():
    paths = [p for p in (REPOSITORY / "bayescale").rglob("*.py") if p.name != "errors.py"]
    assert [path.name for path in paths if TYPED.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("source", ["raise typer.Exit(130)", "exit_code = 5", "It exits with 6."])
def test_a_typed_exit_code_is_noticed(source):
    assert TYPED.search(source)
