"""`bayescale design`, `regime` and `simulate dmft`: what they print, write and refuse."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.test_bayescale.conftest import run

ASKED = ("--budget", "1e20", "--at", "1e23")


def test_a_design_is_printed_as_json_and_written_as_csv_and_picture(
    saved: Path, tmp_path: Path
) -> None:
    table = tmp_path / "next.csv"
    result = run("design", saved, *ASKED, "--single-law", "--json", "-o", table)
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["schema_version"] == 1
    assert data["trusted"]
    assert set(data["spread"]) == {"now", "this design", "isoFLOP", "wide isoFLOP"}
    assert "confidently wrong" in result.stderr
    launched = pd.read_csv(table)
    assert launched["cost"].sum() <= 1e20
    assert len(launched) == sum(row["count"] for row in data["runs"])
    picture = tmp_path / "next.png"
    told = run("design", saved, *ASKED, "--single-law", "--candidates", table, "-o", picture)
    assert told.exit_code == 0, told.output
    assert picture.stat().st_size > 5000
    assert "isoFLOP" in told.stdout


@pytest.mark.slow
def test_several_laws_are_stacked(saved: Path, other: Path) -> None:
    result = run("design", saved, other, *ASKED, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["cost"] <= 1e20


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((*ASKED,), 2, "has a fixed form"),
        (("--budget", "-3", "--at", "1e23", "--single-law"), 2, "budget must be a positive number"),
        ((*ASKED, "--single-law", "--candidates", "absent.csv"), 3, "cannot be read as a table"),
        ((*ASKED, "--single-law", "-o", "next.txt"), 2, "its suffix is '.txt'"),
        ((*ASKED, "--single-law", "-o", "no/such/folder.csv"), 3, "cannot be written"),
        ((*ASKED, "--single-law", "--n-max", "3"), 2, "no run of at most"),
    ],
)
def test_what_cannot_be_designed_gets_its_sentence_and_code(
    saved: Path, options: tuple[str, ...], code: int, message: str
) -> None:
    result = run("design", saved, *options)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_a_refused_posterior_designs_only_by_force(untrusted: Path) -> None:
    assert run("design", untrusted, *ASKED, "--single-law").exit_code == 5
    forced = run("design", untrusted, *ASKED, "--single-law", "--force")
    assert forced.exit_code == 0, forced.output
    assert "NOT TRUSTED" in forced.stdout


def test_regimes_are_printed(saved: Path) -> None:
    result = run("regime", saved, "--variance", "N=0.5", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schema_version"] == 1
    assert "resolution" in run("regime", saved).stdout
    wrong = run("regime", saved, "--variance", "N=half")
    assert wrong.exit_code == 2
    assert "--variance" in wrong.stderr


def test_a_simulation_is_kept_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "curve.parquet"
    options = ("--a", "1.5", "--b", "1.25", "--N", "8", "--t", "1", "--t", "10", "--modes", "40")
    first = run("simulate", "dmft", path, *options, "--draws", "60", "--json")
    assert first.exit_code == 0, first.output
    points = json.loads(first.stdout)["points"]
    assert [point["draws"] for point in points] == [60, 60]
    again = run("simulate", "dmft", path, *options, "--draws", "100", "--json")
    assert [point["draws"] for point in json.loads(again.stdout)["points"]] == [100, 100]
    changed = run("simulate", "dmft", path, *options, "--draws", "60", "--noise", "0.5")
    assert changed.exit_code == 2
    assert "another" in changed.stderr
    wrong = run("simulate", "dmft", tmp_path / "x.parquet", *options, "--dynamics", "jumps")
    assert wrong.exit_code == 2
    assert "jumps" in wrong.stderr
