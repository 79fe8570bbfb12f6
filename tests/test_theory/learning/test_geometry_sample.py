"""Rows as points: what is left out and said, what is refused, and exact neighbours."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from theory.learning.geometry import sample
from theory.learning.geometry.sample import GeometryError, draw_sample, neighbour_distances

RNG = np.random.default_rng(0)
PLANE = RNG.normal(size=(200, 3))


@pytest.mark.parametrize(("count", "columns"), [(300, 1), (2500, 3), (500, 40)])
def test_neighbours_are_those_of_a_tree(count: int, columns: int) -> None:
    points = RNG.uniform(size=(count, columns))
    found = neighbour_distances(points, 7)
    expected, _ = cKDTree(points).query(points, 8)
    np.testing.assert_allclose(found, expected[:, 1:], rtol=1e-12)


def test_blocks_do_not_change_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = neighbour_distances(PLANE, 3)
    monkeypatch.setattr(sample, "BLOCK", 1000)
    np.testing.assert_allclose(neighbour_distances(PLANE, 3), whole, rtol=1e-14)


def test_points_far_from_the_origin_keep_their_distances() -> None:
    """Differences of 1e-5 at 1e6: lost by squares of norms, but candidates are centred first."""
    points = draw_sample(1e6 + 1e-3 * PLANE, rows=200, seed=0).points
    expected, _ = cKDTree(points).query(points, 3)
    np.testing.assert_allclose(neighbour_distances(points, 2), expected[:, 1:], rtol=1e-9)


def test_repeated_rows_and_constant_columns_are_left_out_and_said() -> None:
    data = np.column_stack([np.vstack([PLANE, PLANE[:50]]), np.full(250, 7.0)])
    drawn = draw_sample(data, rows=1000, seed=0)
    assert drawn.points.shape == (200, 3)
    assert drawn.remarks == (
        "1 of 4 columns do not vary and are left out.",
        "50 of 250 rows repeat others and are left out.",
    )
    np.testing.assert_allclose(drawn.points.mean(axis=0), 0, atol=1e-12)


def test_a_sample_says_which_rows_it_is() -> None:
    drawn = draw_sample(PLANE, rows=100, seed=3)
    np.testing.assert_allclose(drawn.points, PLANE[drawn.rows] - PLANE[drawn.rows].mean(axis=0))
    assert len(set(drawn.rows)) == 100
    assert drawn.remarks == ("100 of 200 rows are used, drawn with seed 3.",)
    again, other = (draw_sample(PLANE, rows=100, seed=seed).rows for seed in (3, 4))
    np.testing.assert_array_equal(drawn.rows, again)
    assert set(drawn.rows) != set(other)


def test_a_memory_map_is_read_in_part_only(tmp_path) -> None:
    """Half a terabyte on paper; a sparse file holds only the rows that are touched."""
    shape = (10_000_000, 50)
    data = np.memmap(tmp_path / "inputs", dtype=np.float32, mode="w+", shape=shape)
    data[::50_000] = RNG.normal(size=(200, 50))
    drawn = draw_sample(data[::50_000], rows=100, seed=0)
    assert drawn.points.shape == (100, 50)


def test_numbers_of_any_real_kind_will_do() -> None:
    whole = np.round(100 * PLANE)
    expected = draw_sample(whole, rows=200, seed=0).points
    for data in (whole.astype(np.int16), whole.astype(np.float32), whole.tolist()):
        np.testing.assert_array_equal(draw_sample(data, rows=200, seed=0).points, expected)


class _Wide:
    """A matrix too wide for memory, of which no row is ever read."""

    shape = (1_000_000, 10_000_000)
    dtype = np.dtype(np.float32)


NAN = PLANE.copy()
NAN[17, 2] = np.nan


@pytest.mark.parametrize(
    ("data", "rows", "message"),
    [
        (PLANE[:, 0], 100, r"must be a matrix .* got float64 of shape \(200,\)"),
        (PLANE.reshape(50, 2, 6), 100, r"shape \(50, 2, 6\): flatten each example"),
        (PLANE.astype(complex), 100, "matrix of real numbers .* got complex128"),
        ([["a", "b"]] * 100, 100, "matrix of real numbers .* got <U1"),
        ([[1.0, 2.0], [3.0]], 100, "the rows given differ in length"),
        (NAN, 200, "hold 1 values that are not finite .* first in row 17, column 2"),
        (np.full((100, 2), np.inf), 200, "hold 200 values that are not finite"),
        (PLANE[:63], 200, "have 63 distinct rows among the 63 used, and 64 or more"),
        (np.ones((500, 4)), 200, "have 1 distinct rows among the 200 used"),
        (np.zeros((0, 4)), 200, "have 0 distinct rows among the 0 used"),
        (PLANE, 63, "rows must be 64 or more; got 63"),
        (_Wide(), 100, "100 rows of 10000000 columns take 7.5 GiB .* pass a smaller rows="),
    ],
)
def test_data_without_a_geometry_are_refused(data, rows: int, message: str) -> None:
    with pytest.raises(GeometryError, match=message) as caught:
        draw_sample(data, rows=rows, seed=0)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("neighbours", [0, 3])
def test_more_neighbours_than_points_are_refused(neighbours: int) -> None:
    with pytest.raises(GeometryError, match=f"has 2 neighbours; {neighbours} were asked for"):
        neighbour_distances(PLANE[:3], neighbours)
