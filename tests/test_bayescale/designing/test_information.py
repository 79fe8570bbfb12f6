"""The information of a batch of runs, against mutual information and nested Monte Carlo."""

import itertools

import numpy as np
import pytest

from bayescale.designing.information import (
    Batch,
    LinearGaussian,
    batch_of,
    best_batch,
    mean_gains,
    start_of,
)

POINTS, SIZE = 7, 5


@pytest.fixture(scope="module")
def view() -> LinearGaussian:
    """Seven candidates, five coordinates, three draws, two quantities."""
    rng = np.random.default_rng(0)
    root = rng.standard_normal((3, SIZE, SIZE))
    return LinearGaussian(
        slopes=rng.standard_normal((3, POINTS, SIZE)),
        noise=rng.uniform(0.5, 2.0, (3, POINTS)),
        covariance=root @ root.transpose(0, 2, 1) + 0.1 * np.eye(SIZE),
        gradient=rng.standard_normal((3, 2, SIZE)),
    )


def mutual_information(view: LinearGaussian, draw: int, chosen: list[int]) -> float:
    """Of what is asked and the losses of runs, from their joint covariance."""
    slopes = np.concatenate([view.gradient[draw], view.slopes[draw, chosen]])
    joint = slopes @ view.covariance[draw] @ slopes.T
    joint[2:, 2:] += np.diag(view.noise[draw, chosen])
    _, whole = np.linalg.slogdet(joint)
    _, asked = np.linalg.slogdet(joint[:2, :2])
    _, losses = np.linalg.slogdet(joint[2:, 2:])
    return 0.5 * (asked + losses - whole)


def test_the_gain_of_a_run_is_its_mutual_information(view: LinearGaussian) -> None:
    gains = view.gains(view.covariance)
    for draw, point in itertools.product(range(3), range(POINTS)):
        assert gains[draw, point] == pytest.approx(mutual_information(view, draw, [point]), 1e-10)


@pytest.mark.parametrize("chosen", [[0, 1, 2], [3, 3, 3, 5], [6, 0, 6]])
def test_the_gain_of_a_batch_is_its_mutual_information(
    view: LinearGaussian, chosen: list[int]
) -> None:
    batch = batch_of([view], start_of([view]), np.ones(POINTS), chosen)
    want = np.mean([mutual_information(view, draw, chosen) for draw in range(3)])
    assert batch.gain == pytest.approx(want, rel=1e-10)
    backwards = batch_of([view], start_of([view]), np.ones(POINTS), chosen[::-1])
    assert backwards.gain == pytest.approx(want, rel=1e-10)


def test_a_run_of_the_same_kind_tells_less_each_time(view: LinearGaussian) -> None:
    one = LinearGaussian(view.slopes, view.noise, view.covariance, view.gradient[:, :1])
    for point in range(POINTS):
        batch = batch_of([one], start_of([one]), np.ones(POINTS), [point] * 5)
        assert np.all(np.diff(batch.gains) < 0)


def test_no_noise_leaves_only_what_the_slopes_do_not_span(view: LinearGaussian) -> None:
    silent = LinearGaussian(view.slopes, 1e-14 * view.noise, view.covariance, view.gradient)
    (after,) = batch_of([silent], start_of([silent]), np.ones(POINTS), range(SIZE)).covariances
    assert np.all(np.abs(after) < 1e-6)


def test_a_deaf_run_and_a_known_answer_tell_nothing(view: LinearGaussian) -> None:
    loud = LinearGaussian(view.slopes, 1e15 * view.noise, view.covariance, view.gradient)
    assert np.all(loud.gains(loud.covariance) < 1e-12)
    beside = LinearGaussian(np.zeros_like(view.slopes), view.noise, view.covariance, view.gradient)
    assert np.all(beside.gains(beside.covariance) == 0.0)


def test_the_variance_after_a_batch_is_that_of_nested_monte_carlo(view: LinearGaussian) -> None:
    # Draw the coordinates and the losses; the posterior mean of what is asked has the variance
    # that the batch removes, so that the two add up to the variance before.
    chosen, draw, rng = [0, 2, 2, 5], 1, np.random.default_rng(1)
    batch = batch_of([view], start_of([view]), np.ones(POINTS), chosen)
    left = view.spread(batch.covariances[0])[draw]
    slopes, noise = view.slopes[draw, chosen], view.noise[draw, chosen]
    count = 40_000
    truth = rng.multivariate_normal(np.zeros(SIZE), view.covariance[draw], count)
    seen = truth @ slopes.T + np.sqrt(noise) * rng.standard_normal((count, len(chosen)))
    total = slopes @ view.covariance[draw] @ slopes.T + np.diag(noise)
    weights = view.gradient[draw] @ view.covariance[draw] @ slopes.T @ np.linalg.inv(total)
    errors = truth @ view.gradient[draw].T - seen @ weights.T
    for quantity in range(2):
        squares = errors[:, quantity] ** 2
        standard_error = squares.std() / np.sqrt(count)
        assert abs(squares.mean() - left[quantity, quantity]) < 3 * standard_error


def best_by_hand(view: LinearGaussian, costs: np.ndarray, budget: float) -> float:
    """The best of all batches that fit."""
    most = int(budget / costs.min())
    return max(
        batch_of([view], start_of([view]), costs, chosen).gain
        for size in range(1, most + 1)
        for chosen in itertools.combinations_with_replacement(range(POINTS), size)
        if costs[list(chosen)].sum() <= budget
    )


def test_the_batch_comes_near_the_best_of_all(view: LinearGaussian) -> None:
    costs = np.array([1.0, 2.0, 1.5, 4.0, 1.0, 3.0, 2.5])
    found = best_batch([view], start_of([view]), costs, budget=4.0, max_runs=10)
    assert found.cost <= 4.0
    # Greedy choice of a submodular gain under a budget is within 1 - 1/e; in practice far closer.
    assert found.gain > 0.95 * best_by_hand(view, costs, 4.0)


@pytest.mark.parametrize("budget", [1.0, 3.3, 9.0])
def test_a_batch_keeps_to_its_budget_and_its_number(view: LinearGaussian, budget: float) -> None:
    costs = np.linspace(0.7, 2.0, POINTS)
    free = best_batch([view], start_of([view]), costs, budget=budget, max_runs=50)
    assert free.cost == pytest.approx(costs[list(free.chosen)].sum())
    assert free.cost <= budget
    few = best_batch([view], start_of([view]), costs, budget=budget, max_runs=2)
    assert len(few.chosen) <= 2
    assert few.gain <= free.gain + 1e-12
    once = best_batch([view], start_of([view]), costs, budget=budget, max_runs=50, repeats=False)
    assert len(set(once.chosen)) == len(once.chosen)


def test_laws_are_averaged_by_their_draws(view: LinearGaussian) -> None:
    first = LinearGaussian(*(part[:1] for part in parts(view)))
    rest = LinearGaussian(*(part[1:] for part in parts(view)))
    whole = mean_gains([view], [view.covariance])
    split = mean_gains([first, rest], [first.covariance, rest.covariance])
    np.testing.assert_allclose(split, whole, rtol=1e-12)


def parts(view: LinearGaussian) -> tuple[np.ndarray, ...]:
    return view.slopes, view.noise, view.covariance, view.gradient


def test_what_is_under_way_counts_as_done(view: LinearGaussian) -> None:
    done = start_of([view], [2, 4])
    batch = batch_of([view], start_of([view]), np.ones(POINTS), [2, 4])
    np.testing.assert_allclose(done[0], batch.covariances[0], rtol=1e-12)
    assert isinstance(batch, Batch)
