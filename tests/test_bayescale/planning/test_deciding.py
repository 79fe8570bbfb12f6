"""The search by the draws that decide against the search over all draws."""

import numpy as np
import pytest

import bayescale as bs
from bayescale.planning import deciding, objectives, search
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.deciding import decided_size
from bayescale.planning.frontier import Frontier
from bayescale.planning.limits import Limits
from bayescale.posteriors.abstract import Piece

CENTRES = {
    "chinchilla": {"E": 1.8, "A": 482.0, "B": 2085.0, "alpha": 0.348, "beta": 0.366},
    "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    "share": {"E": 1.8, "A": 482.0, "B": 2085.0, "alpha": 0.348, "beta": 0.366, "q": 1.2},
}
BUDGETS = np.geomspace(1e19, 1e25, 4)
LEVELLED = ["quantile(0.9)", "quantile(0.05)", "cvar(0.9)", "cvar(0.5)"]


def posterior(law: str, seed: int, count: int = 2000) -> bs.Posterior:
    rng = np.random.default_rng(seed)
    centres = CENTRES[law].items()
    values = {name: value * np.exp(0.04 * rng.standard_normal(count)) for name, value in centres}
    return bs.Posterior.from_draws(law, values)


def both(frontier: Frontier, name: str, pieces: list[Piece]) -> tuple[deciding.Found, np.ndarray]:
    """By the draws that decide, and over all draws."""
    objective = objectives.get(name)
    sizes = frontier.logs["N"]
    span = sizes.min(axis=0), sizes.max(axis=0)
    rest = frontier.line, frontier.log_budgets
    weights = objective.weights(sum(len(piece.tilt) for piece in pieces))
    assert weights is not None
    found = decided_size(pieces, rest[0], np.array(weights), rest[1], span, search.NEAR)
    return found, search.over_all(pieces, rest[0], objective, rest[1], frontier.least, span)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("law", list(CENTRES))
def test_the_size_is_that_of_the_search_over_all_draws(law: str, seed: int) -> None:
    post = posterior(law, seed)
    frontier = Frontier(post, BudgetLine(bs.cost.get("6ND")), np.log(BUDGETS))
    for name in LEVELLED if law == "chinchilla" else LEVELLED[:1]:
        found, want = both(frontier, name, post.pieces())
        assert found.proved.all(), name
        np.testing.assert_allclose(found.log_size, want, rtol=0, atol=1e-10, err_msg=name)


def test_laws_of_a_mixture_share_the_draws_that_decide() -> None:
    posts = [posterior("chinchilla", 2), posterior("share", 3)]
    pieces = [piece for post in posts for piece in post.pieces()]
    frontier = Frontier(posts[0], BudgetLine(bs.cost.get("6ND")), np.log(BUDGETS))
    found, want = both(frontier, "cvar(0.9)", pieces)
    assert found.proved.all()
    np.testing.assert_allclose(found.log_size, want, rtol=0, atol=1e-10)


def test_limits_serving_and_repeated_data_change_nothing_of_it() -> None:
    limits = Limits(unique_tokens=3e11, N_max=1e11)
    line = BudgetLine.of("6ND", limits, inference_tokens=1e11)
    post = posterior("chinchilla", 4)
    frontier = Frontier(post, line, np.log(np.geomspace(1e21, 1e24, 3)))
    found, want = both(frontier, "cvar(0.9)", post.pieces())
    np.testing.assert_allclose(found.log_size[found.proved], want[found.proved], atol=1e-10)
    assert found.proved.any()


@pytest.mark.parametrize("name", LEVELLED)
@pytest.mark.parametrize("count", [2, 11, 4000])
def test_the_risk_is_the_weighted_sum_of_sorted_losses(name: str, count: int) -> None:
    losses = np.random.default_rng(count).standard_normal((count, 3))
    objective = objectives.get(name)
    weights = objective.weights(count)
    assert weights is not None
    assert sum(weights) == pytest.approx(1.0)
    want = objective.risk(losses, losses, np)
    got = np.array(weights) @ np.sort(losses, axis=0)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


def test_draws_that_cross_the_window_are_not_called_proved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Draws as different as these change ranks within the bracket, and the window has four more.
    monkeypatch.setattr(deciding, "WINDOW", 4)
    rng = np.random.default_rng(0)
    wide = {n: v * np.exp(0.3 * rng.standard_normal(300)) for n, v in CENTRES["kaplan"].items()}
    post = bs.Posterior.from_draws("kaplan", wide)
    frontier = Frontier(post, BudgetLine(bs.cost.get("6ND")), np.log(BUDGETS))
    found, want = both(frontier, "quantile(0.5)", post.pieces())
    assert not found.proved.any()
    objective = objectives.get("quantile(0.5)")
    np.testing.assert_array_equal(frontier.recommended(objective), want)
