"""The command in a process of its own: broken streams, odd environments, foreign characters."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bayescale.cli.app import app
from bayescale.cli.environment import explained
from bayescale.errors import Exit, LimitError, UsageError, printable

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def shell(line: str, *, cwd: Path | None = None, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a line of bash, in which ``bayescale`` is the command."""
    define = f'bayescale() {{ "{sys.executable}" -m bayescale "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", define + line],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
    )
    return done.returncode, done.stdout, done.stderr


def one_sentence(error: str, beginning: str) -> None:
    assert error.startswith(f"error: {beginning}"), error
    assert len(error.splitlines()) == 1


def test_a_full_standard_output_is_a_sentence() -> None:
    code, _, error = shell("bayescale laws > /dev/full")
    assert code == Exit.DATA
    one_sentence(error, "the standard output cannot be written (No space left on device)")


def test_a_closed_standard_output_is_a_sentence() -> None:
    code, _, error = shell("bayescale laws >&-")
    assert code == Exit.DATA
    one_sentence(error, "the standard output cannot be written (Bad file descriptor)")


def test_a_reader_that_has_seen_enough_ends_the_command_quietly() -> None:
    code, out, error = shell("bayescale laws --json | head -1; exit ${PIPESTATUS[0]}")
    assert (code, out, error) == (Exit.DONE, "{\n", "")


def test_no_file_takes_the_place_of_a_closed_stream(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "fit.nc"
    columns = '--column N="Model Size" --column C="Training FLOP"'
    line = f"bayescale fit {table} {columns} --engine laplace -o {out} --force >&- 2>&- <&-"
    code, _, _ = shell(line)
    assert code == Exit.DATA  # the file is whole, but the summary could not be printed
    code, printed, _ = shell(f"bayescale summary {out} --json")
    assert code == Exit.DONE
    assert json.loads(printed)["n_runs"] == 60


def test_a_deleted_working_directory_is_a_sentence(tmp_path: Path) -> None:
    code, _, error = shell('mkdir gone; cd gone; rmdir "$PWD"; bayescale laws', cwd=tmp_path)
    assert code == Exit.DATA
    one_sentence(error, "the working directory does not exist any more")


@pytest.mark.parametrize("platform", ["bogus", "cuda"])
def test_a_platform_that_jax_has_not_is_a_sentence(table: Path, platform: str) -> None:
    columns = '--column N="Model Size" --column C="Training FLOP"'
    line = f"bayescale fit {table} {columns} --engine laplace"
    code, _, error = shell(line, JAX_PLATFORMS=platform)
    assert code == Exit.USAGE
    said = [text for text in error.splitlines() if text.startswith("error: ")]
    assert len(said) == 1
    assert f"JAX cannot compute on '{platform}'" in said[0]
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("columns", "widest"), [("1", 40), ("0", 200), ("999999999", 500), ("-3", 200), ("x", 200)]
)
def test_odd_widths_of_a_terminal_are_not_believed(columns: str, widest: int) -> None:
    code, out, _ = shell("bayescale plan --help", COLUMNS=columns)
    assert code == Exit.DONE
    assert 30 < max(map(len, out.splitlines())) <= widest


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {}])
def test_what_goes_to_no_terminal_has_no_colours(environment: dict[str, str]) -> None:
    for line in ("bayescale laws", "bayescale fit --help", "bayescale fit absent.csv"):
        _, out, error = shell(line, **environment)
        assert "\x1b" not in out + error


def test_ascii_terminals_get_escapes_instead_of_a_crash() -> None:
    code, out, error = shell("bayescale fit --help", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert code == Exit.DONE, error
    assert out.isascii()


def test_control_characters_of_names_are_escaped(tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    table.write_text("N,D,lo\x1b[31mss\u202e\n1e8,1e10,3\n2e8,1e10,2.9\n", encoding="utf-8")
    names = [str(table), str(tmp_path / "absent\x1b[2J\x07.csv"), str(tmp_path / "no\udcff.csv")]
    for name in names:
        result = CliRunner().invoke(app, ["fit", name])
        assert result.exit_code == Exit.DATA, result.output
        said = result.stderr.removesuffix("\n")
        assert said.startswith("error: ")
        assert printable(said) == said
        assert "\\x1b" in said or "\\u" in said


def test_text_of_all_tongues_is_left_as_it_is() -> None:
    text = "α → β: 模型, naïve «loss»\n\tend"
    assert printable(text) == text
    assert printable("a\x00\x1b\x9b\u2028\u202e\ud800b") == "a\\x00\\x1b\\x9b\\u2028\\u202e\\ud800b"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"),
        RuntimeError("can't start new thread"),
        ImportError("x.so: failed to map segment from shared object"),
    ],
)
def test_too_little_memory_is_a_sentence(error: Exception) -> None:
    assert isinstance(explained(error), LimitError)


def test_what_is_not_known_stays_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    assert explained(RuntimeError("a fault of ours")) is None
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert explained(RuntimeError("a fault of ours")) is None
    assert not isinstance(explained(RuntimeError("a fault of ours")), UsageError)
