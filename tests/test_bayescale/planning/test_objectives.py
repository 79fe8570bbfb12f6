"""What a plan minimises."""

import numpy as np
import pytest

from bayescale.errors import UsageError
from bayescale.planning import objectives
from bayescale.planning.objectives import OBJECTIVES


def test_risks_are_their_definitions_on_sorted_losses() -> None:
    losses = np.arange(1.0, 101.0)[:, None]
    best = np.full_like(losses, 0.5)
    risk = {n: float(objectives.get(n).risk(losses, best, np)[0]) for n in OBJECTIVES}
    assert risk["median"] == risk["expected_loss"] == 50.5
    assert risk["expected_regret"] == 50.0
    assert risk["quantile"] == pytest.approx(90.1)  # linear between the 90th and the 91st
    # q + mean excess/(1 - level): draws 91 to 100 exceed 90.1 by 54 in sum
    assert risk["cvar"] == pytest.approx(90.1 + 54 / 100 / 0.1)


def test_a_tail_mean_is_at_least_the_quantile_and_tends_to_the_mean() -> None:
    losses = np.random.default_rng(0).standard_normal((4000, 3))
    for level in (0.5, 0.9, 0.99):
        tail = objectives.get(f"cvar({level})").risk(losses, losses, np)
        assert np.all(tail >= objectives.get(f"quantile({level})").risk(losses, losses, np))
    low = objectives.get("cvar(0.0001)").risk(losses, losses, np)
    np.testing.assert_allclose(low, losses.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("name", list(OBJECTIVES))
def test_every_objective_is_found_by_its_own_name_and_respects_shifts(name: str) -> None:
    one = objectives.get(name)
    assert objectives.get(one.name) == one
    assert objectives.get(one) is one
    assert one.meaning
    rng = np.random.default_rng(1)
    losses, best = rng.standard_normal((500, 4)), np.zeros((500, 4))
    shifted = one.risk(losses + 2.0, best, np)
    np.testing.assert_allclose(shifted, one.risk(losses, best, np) + 2.0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("expected_los", r"no objective called 'expected_los'\. Did you mean 'expected_loss'"),
        ("cvar(1.5)", "level of cvar is a probability between 0 and 1; got 1.5"),
        ("cvar(high)", "is not understood; a level is one number"),
        ("median(0.5)", "some objectives take none"),
        ("__import__('os')", "no objective called"),
        ("money", r"is minimised to reach a target; pass target= \(--target\)"),
    ],
)
def test_an_objective_that_is_none_gets_its_sentence(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        objectives.get(name)
