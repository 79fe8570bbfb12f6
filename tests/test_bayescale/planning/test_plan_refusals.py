"""Every request that has no answer gets its sentence, and its exit code."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale.cli.app import app
from bayescale.cli.inputs import cost_of
from bayescale.errors import DiagnosticsRefused, UsageError
from bayescale.posteriors.posterior import Posterior

POINT = {"E": [1.8], "A": [480.0], "B": [2085.0], "alpha": [0.35], "beta": [0.37]}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def post() -> Posterior:
    return Posterior.from_draws("chinchilla", POINT)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "a plan needs one of compute=, target=, allocation=, money=.*got none"),
        ({"compute": 1e22, "target": 2.0}, "got compute and target"),
        ({"target": -1.0}, "target must be a positive loss"),
        ({"target": []}, "target must be a positive loss"),
        ({"target": 2.0, "confidence": 1.0}, "confidence is a probability between 0 and 1; got 1"),
        ({"target": 2.0, "objective": "cvar(0.9)"}, "either compute or money is minimised"),
        ({"target": 2.0, "objective": "money"}, "money needs the price"),
        (
            {"compute": 1e22, "objective": "money", "hardware": bs.Hardware(price=2.0)},
            "to reach a target; pass target=",
        ),
        ({"allocation": {"N": 1e9}}, "allocation takes both N and D"),
        ({"allocation": {"N": 1e9, "D": 1e9}, "present": {"N": 1e9}}, "itself the present plan"),
        ({"allocation": {"N": 1e9, "tokens": 1e9}}, "is given by its N and D.*got N, tokens"),
        ({"allocation": {"N": 1e9, "D": -1.0}}, "D of a plan must be positive"),
        ({"compute": 1e22, "present": {"D": 1e9}}, "is given by its N and D"),
        ({"compute": 1e22, "present": {"N": 1e22}}, "cannot be trained for 1e.22 FLOP"),
        (
            {"compute": 1e22, "limits": bs.Limits(N_max=0.5)},
            "does not train one parameter on one token",
        ),
        (
            {"compute": 1e22, "limits": bs.Limits(sizes=(1e9,), N_max=1e8)},
            "N_max 1e.08: the smallest is 1e.09",
        ),
        (
            {"compute": 1e15, "limits": bs.Limits(sizes=(1e16,))},
            "no allowed model size can be trained",
        ),
        ({"compute": 1e22, "cost": "kaplan"}, "depends on the shape of the model; pass"),
        ({"compute": 1e22, "cost": "moe"}, "needs the active and the total parameters"),
        ({"compute": 1e22, "inference_tokens": -1.0}, "inference_tokens must be finite and not"),
        ({"compute": 1e22, "hours": 5.0}, "a limit of hours needs the number of chips"),
        ({"hours": -5.0, "hardware": bs.Hardware(gpus=8.0)}, "hours must be positive"),
        ({"money": 1e6}, "money needs the price"),
        ({"money": -1.0, "hardware": bs.Hardware(price=2.0)}, "money must be positive"),
        ({"compute": 1e22, "at": {"sparsity": -1.0}}, "sparsity of the law must be one positive"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_an_impossible_plan_gets_its_sentence(post: Posterior, options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bs.plan(post, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: bs.Limits(N_max=-1.0), "N_max must be positive and finite; got -1"),
        (lambda: bs.Limits(D_max=np.inf), "D_max must be positive and finite; got inf"),
        (lambda: bs.Limits(sizes=(-1e9,)), "sizes are positive"),
        (lambda: bs.Limits(unique_tokens=0.0), "unique_tokens must be positive"),
        (lambda: bs.Hardware(chip="h10"), "Did you mean 'h100'"),
        (lambda: bs.Hardware(utilisation=40.0), "share of the dense peak"),
        (lambda: bs.cost.get("moe").on(active=1e9, total=None), "got active only"),
        (
            lambda: cost_of("6ND", ["2x64"], None, None),
            "cost '6ND' does not depend on shapes; pass --size.* kaplan",
        ),
        (lambda: cost_of("6ND", None, 1e9, None), "--active and --total go with cost 'moe'"),
    ],
)
def test_impossible_limits_chips_and_costs_get_their_sentence(make, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_limits_and_hardware_are_what_they_say(post: Posterior) -> None:
    """Without the run-time type checks of the tests, as a user meets it."""
    bare = inspect.unwrap(bs.plan)
    with pytest.raises(UsageError, match=r"limits= takes a bayescale\.Limits\(\.\.\.\).*got \{"):
        bare(post, compute=1e22, limits={"N_max": 1e9})
    with pytest.raises(UsageError, match=r"hardware= takes a bayescale\.Hardware.*got 'h100'"):
        bare(post, compute=1e22, hardware="h100")


def test_a_law_of_other_resources_says_what_it_needs() -> None:
    repeated = Posterior.from_draws("repeated_data", POINT | {"R_D": [15.0]})
    with pytest.raises(UsageError, match=r"also depends on U .*pass limits=Limits\(unique_tokens="):
        bs.plan(repeated, compute=1e22)
    plan = bs.plan(repeated, compute=1e22, limits=bs.Limits(unique_tokens=1e10))
    assert plan.recommended["D"].iloc[0] > 1e10
    with pytest.raises(UsageError, match="divides a budget between N, D, but law 'power_C'"):
        bs.plan(
            Posterior.from_draws("power_C", {"E": [1.5], "A": [100.0], "alpha": [0.2]}),
            target=2.0,
        )


def test_a_draw_without_an_optimum_is_refused_where_a_search_finds_none() -> None:
    flat = POINT | {"A": [1e-9]}  # size does not matter, so that all goes into data
    with pytest.raises(UsageError, match="no balanced optimum"):
        bs.plan(Posterior.from_draws("chinchilla", flat), compute=1e22, inference_tokens=1e9)


def test_a_refused_posterior_answers_no_target(refused: Posterior) -> None:
    for options in ({"target": 3.0}, {"allocation": {"N": 1e9, "D": 1e10}}):
        with pytest.raises(DiagnosticsRefused, match="not to be trusted"):
            bs.plan(refused, **options)
        assert not bs.plan(refused, **options, force=True).trusted


# --- at the command line


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        ((), 2, "a plan needs one of compute="),
        (("--compute", "1e22", "--target", "2"), 2, "got compute and target"),
        (("--target", "2", "--confidence", "2"), 2, "confidence is a probability"),
        (("--compute", "1e22", "--objective", "cvar"), 0, ""),
        (("--compute", "1e22", "--objective", "cvr"), 2, "Did you mean 'cvar'"),
        (("--compute", "1e22", "--n-max", "0.1"), 2, "does not train one parameter"),
        (("--compute", "1e22", "--shape", "24"), 2, "--shape takes LAYERSxWIDTH"),
        (("--compute", "1e22", "--cost", "moe", "--active", "1e9"), 2, "got active only"),
        (("--compute", "1e22", "--present", "N=big"), 2, "--present N takes a number; got 'big'"),
        (("--compute", "1e22", "-o", "valley.bmp"), 2, "must be one of .png"),
        (("--target", "0.01", "--json"), 6, "with confidence 0.9: the highest is none"),
    ],
)
def test_a_command_that_cannot_be_answered_exits_with_its_code(
    arguments: tuple[str, ...], code: int, sentence: str, saved: Path
) -> None:
    result = run("plan", saved, *arguments)
    assert result.exit_code == code, result.output
    assert sentence in result.stderr


def test_an_unreachable_target_is_an_answer_in_json(saved: Path) -> None:
    result = run("plan", saved, "--target", "0.01", "--target", "2.5", "--json")
    assert result.exit_code == 6
    answer = json.loads(result.stdout)
    assert len(answer["plans"]) == 1
    never, reached = answer["targets"]
    assert never["compute"] is never["best"] is None
    assert never["reached"] == 0.0
    assert never["unreachable"] == 1.0
    assert reached["compute"] > 0
    assert run("plan", saved, "--target", "2.5").exit_code == 0


@pytest.mark.slow
def test_the_command_line_gives_the_same_plan(saved: Path, tmp_path: Path) -> None:
    options = ("--inference-tokens", "1e11", "--d-max", "1e11", "--gpus", "64", "--price", "2")
    result = run("plan", saved, "--compute", "1e21", *options, "--present", "N=1e9", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    ours = bs.plan(
        Posterior.load(saved),
        compute=1e21,
        inference_tokens=1e11,
        limits=bs.Limits(D_max=1e11),
        hardware=bs.Hardware(gpus=64.0, price=2.0),
        present={"N": 1e9},
    )
    (row,) = ours.recommended.to_dict(orient="records")
    assert answer["plans"][0]["recommended"] == row
    (bill,) = answer["bill"]
    assert bill["money"] == pytest.approx(2.0 * bill["gpu_hours"])
    assert bill["hours"] == pytest.approx(bill["gpu_hours"] / 64)
    (valley,) = answer["valley"]
    assert valley["N_low"] <= row["N"] < valley["N_high"]
    assert answer["present"][0]["waste"]["q50"] >= 1
    assert answer["extrapolation"][0] == pytest.approx(float(ours.far[0]))  # type: ignore[index]
    for drawn, arguments in (("valley", ("--compute", "1e21")), ("target", ("--target", "3.2"))):
        picture = tmp_path / f"{drawn}.png"
        shown = run("plan", saved, *arguments, "-o", picture)
        assert shown.exit_code == 0, shown.output
        assert picture.stat().st_size > 10_000
        assert "costs less than 1% extra compute" in " ".join(shown.stdout.split())


@pytest.mark.slow
def test_several_posteriors_are_stacked(
    saved: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bayescale.validation import stacking as _stack

    stack: Callable = _stack.stack
    monkeypatch.setattr(_stack, "stack", lambda named: stack(named, by="equal"))
    answer = json.loads(run("plan", saved, other, "--compute", "1e21", "--json").stdout)
    assert {row["law"] for row in answer["laws"]} == {"chinchilla", "share"}
    assert sum(row["weight"] for row in answer["laws"]) == pytest.approx(1.0)
    target = json.loads(run("plan", saved, other, "--target", "3.2", "--json").stdout)
    assert target["targets"][0]["compute"] > 0


def test_the_help_names_every_cost_and_objective() -> None:
    from typer.main import get_command

    from bayescale.cost import COSTS
    from bayescale.planning.objectives import FOR_A_TARGET, OBJECTIVES

    found = get_command(app).get_command(None, "plan")  # type: ignore[attr-defined]
    words = {p.name: p.help.replace("(0.9)", " ") for p in found.params if getattr(p, "help", "")}
    for option, known in (("cost", COSTS), ("objective", {*OBJECTIVES, *FOR_A_TARGET})):
        for mark in ",;.:":
            words[option] = words[option].replace(mark, " ")
        assert set(known) <= set(words[option].split())


def test_a_further_resource_that_no_law_has_is_refused(ladder: bs.Posterior) -> None:
    for at in ({"N": 3.0}, {"typo": 9.0}):
        with pytest.raises(UsageError, match=rf"'{next(iter(at))}' is none"):
            bs.plan(ladder, compute=1e21, at=at)
