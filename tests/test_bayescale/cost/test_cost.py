"""Cost models, hardware, batches."""

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bayescale import cost as costs
from bayescale.cost import COSTS, Hardware, ProductCost, Shape, ShapedCost
from bayescale.errors import UsageError
from theory.declaration.symbols import D, N

PUBLISHED = Path(__file__).parents[2] / "reference" / "planning" / "published.toml"

OF_TOKENS = [name for name in COSTS if name != "Nt"]
"""Costs in model size and tokens; a budget N t has its own tests."""

PRINTED = 0.0051
"""Half a unit of the last digit that table A4 prints."""


@pytest.fixture(scope="module")
def published() -> dict:
    return tomllib.loads(PUBLISHED.read_text("utf-8"))


def shapes() -> tuple[Shape, ...]:
    return costs.ladder(range(4, 40, 4))


def bound(name: str) -> costs.AbstractCost:
    """A cost with whatever it needs."""
    model = COSTS[name]
    if isinstance(model, ShapedCost):
        return model.on(shapes())
    return model.on(active=3e9, total=1.2e10) if isinstance(model, costs.ExpertsCost) else model


def test_training_costs_six_flop_a_parameter_and_token():
    model = costs.product("6ND")
    # Chinchilla: 70e9 parameters on 1.4e12 tokens is 5.88e23 FLOP.
    log_cost = model.log_cost({"N": math.log(70e9), "D": math.log(1.4e12)})
    assert math.exp(log_cost) == pytest.approx(5.88e23, rel=1e-12)
    assert model.resources == (N, D)
    assert model.factor == 6.0


def test_orders_are_powers_and_arrays_broadcast():
    model = ProductCost("test", "test", 2.5, {N: 1.5, D: 0.5})
    n, d = np.array([[10.0], [100.0]]), np.array([4.0, 9.0, 16.0])
    got = model.log_cost({"N": np.log(n), "D": np.log(d)})
    np.testing.assert_allclose(np.exp(got), 2.5 * n**1.5 * d**0.5, rtol=1e-13)
    assert model.log_factor == math.log(2.5)
    with pytest.raises(UsageError, match="is not a number of FLOP a token"):
        model.log_token(0.0)


def test_a_cost_model_is_found_by_name_and_passed_through():
    for name, model in COSTS.items():
        assert model.name == name
        assert model.source
        assert costs.get(name) is model
        assert costs.get(model) is model
        hash(model)  # compiled programs are kept by cost


@pytest.mark.parametrize("name", OF_TOKENS)
def test_every_cost_rises_with_both_sizes_and_is_linear_in_data(name: str):
    model = bound(name)
    log_n = np.linspace(math.log(1e7), math.log(1e12), 60)
    per_token = model.log_token(log_n)
    assert np.all(np.diff(per_token) > 0)
    cost = model.log_cost({"N": log_n, "D": np.full(60, 3.0)})
    np.testing.assert_allclose(cost, per_token + 3.0, rtol=1e-14)
    # No cost is off from 6ND by more than a factor of 5 where models are large.
    assert np.all(np.abs(per_token[40:] - math.log(6) - log_n[40:]) < math.log(5))


@pytest.mark.parametrize("name", OF_TOKENS)
def test_jax_and_numpy_give_the_same_cost(name: str):
    import jax.numpy as jnp

    model, log_n = bound(name), np.linspace(16.0, 28.0, 7)
    got = model.log_token(jnp.asarray(log_n), jnp)
    np.testing.assert_allclose(np.asarray(got), model.log_token(log_n), rtol=1e-13)
    np.testing.assert_allclose(
        model.log_token(log_n[:6].reshape(2, 3)), model.log_token(log_n)[:6].reshape(2, 3)
    )


def test_an_unknown_cost_model_is_refused_with_the_nearest():
    with pytest.raises(UsageError) as caught:
        costs.get("6N")
    assert str(caught.value).startswith("no cost model called '6N'. Did you mean '6ND'?")
    assert ", ".join(COSTS) in str(caught.value)
    with pytest.raises(UsageError, match=r"'kaplan' is no product of powers.*use one of 6ND"):
        costs.product("kaplan")  # pyright: ignore[reportArgumentType]


# --- costs of shapes


def test_hoffmann_s_table_follows_without_embeddings_and_not_as_printed(published: dict):
    for row in published["hoffmann_a4"]["rows"]:
        keys = ("layers", "width", "ffw", "heads", "key_size")
        shape = Shape(**dict(zip(keys, row["shape"], strict=True)))
        got = {}
        for name in ("hoffmann", "hoffmann_table"):
            model = COSTS[name].on([shape])
            (log_n,) = model.log_sizes
            got[name] = math.exp(model.log_token(log_n) - math.log(6) - log_n)
        assert got["hoffmann_table"] == pytest.approx(row["ratio"], abs=PRINTED)
        assert got["hoffmann_table"] == pytest.approx(row["exact"], abs=5e-4)
        assert got["hoffmann"] == pytest.approx(row["printed"], abs=5e-4)
        assert abs(got["hoffmann"] - row["ratio"]) > 3 * PRINTED


def test_deepseek_s_token_and_the_identity_of_its_fits(published: dict):
    known = published["deepseek"]
    sizes = {key: known["shape"][key] for key in ("layers", "width", "context")}
    assert COSTS["deepseek"].token(Shape(**sizes)) == pytest.approx(
        known["shape"]["token"], rel=1e-5
    )
    (m, a), (d, b) = known["M"], known["D"]
    for compute in (1e18, 1e24):
        # C = M D holds for the published optima to a hundredth of a percent.
        assert m * compute**a * d * compute**b / compute == pytest.approx(1.0001, abs=5e-5)


def test_kaplan_s_attention_is_a_small_share_of_a_wide_model():
    wide = Shape(layers=24, width=4096, context=1024)
    assert wide.linear == 12 * 24 * 4096**2
    extra = COSTS["kaplan"].token(wide) / (6 * COSTS["kaplan"].size(wide)) - 1
    # n_ctx/(12 d_model): section 2.1 drops it where d_model is much larger than n_ctx/12.
    assert extra == pytest.approx(1024 / (12 * 4096))


def test_porian_counts_the_head_and_not_the_embedding():
    shape = Shape(layers=12, width=768, key_size=64, vocabulary=50_432)
    assert COSTS["porian"].size(shape) == 12 * 12 * 768**2 + 50_432 * 768
    difference = COSTS["porian_attention"].token(shape) - COSTS["porian"].token(shape)
    assert difference == 6 * 2048 * 768 * 12


def test_between_shapes_the_cost_of_a_parameter_is_interpolated():
    model = COSTS["kaplan"].on(shapes())
    logs = model.log_sizes
    exact = np.log([model.token(s) for s in model.shapes])
    np.testing.assert_allclose(model.log_token(logs), exact, rtol=1e-14)
    beyond = np.array([logs[-1], logs[-1] + 5])
    assert np.diff(model.log_token(beyond))[0] == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Shape(layers=0, width=64), "layers of a shape is a positive whole number; got 0"),
        (lambda: COSTS["kaplan"].log_token(20.0), "depends on the shape of the model; pass"),
        (lambda: COSTS["kaplan"].on([]), "needs shapes of different N; got 0 shapes"),
        (lambda: COSTS["kaplan"].on([Shape(layers=2, width=64)] * 2), "2 shapes with 1 different"),
        (lambda: COSTS["moe"].log_token(20.0), "needs the active and the total .*got neither"),
        (lambda: COSTS["moe"].on(active=1e9, total=None), "got active only"),
        (lambda: COSTS["moe"].on(active=None, total=1e9), "got total only"),
        (lambda: COSTS["moe"].on(active=2e9, total=1e9), "has 0 < active <= total"),
    ],
)
def test_a_cost_that_lacks_something_says_what(make, message: str):
    with pytest.raises(UsageError, match=message):
        make()


# --- embeddings and experts


def test_embeddings_are_added_and_taken_away_again():
    log_n = np.linspace(math.log(800), math.log(1e13), 50)
    total = COSTS["with_embeddings"].log_token(log_n) - math.log(6)
    np.testing.assert_allclose(
        np.exp(total), np.exp(log_n) + 47_491 * np.exp(log_n / 3), rtol=1e-12
    )
    back = COSTS["pearce_song"].log_token(total) - math.log(6)
    np.testing.assert_allclose(back, log_n, rtol=1e-10)


def test_experts_cost_what_is_active_and_store_everything():
    by_active = COSTS["moe"].on(active=37e9, total=671e9)
    by_total = COSTS["moe"].on(active=37e9, total=671e9, law_counts="total")
    log_active, log_total = math.log(37e9), math.log(671e9)
    for model, log_n in ((by_active, log_active), (by_total, log_total)):
        assert math.exp(model.log_token(log_n)) == pytest.approx(6 * 37e9)
        assert math.exp(model.log_stored(log_n)) == pytest.approx(671e9)


# --- hardware and batches


def test_chips_hold_dense_peaks_with_their_sources():
    chips = costs.chips()
    assert {"a100", "h100", "h200", "b200", "mi300x", "tpu-v5p"} <= set(chips)
    for chip in chips.values():
        assert chip.source
        assert 1e13 < chip.peak < 1e16
    # The data sheet's 1979 TFLOPS are with sparsity.
    assert chips["h100"].peak == pytest.approx(1979e12 / 2, rel=1e-3)


def test_a_bill_of_a_large_run():
    hardware = Hardware(chip="h100", utilisation=0.4, price=2.0, gpus=1000)
    assert hardware.gpu_hours(1e24) == pytest.approx(702e3, rel=1e-3)
    assert hardware.hours(1e24) == pytest.approx(702, rel=1e-3)
    assert hardware.money(1e24) == pytest.approx(1.404e6, rel=1e-3)
    assert hardware.compute_within(hardware.hours(1e24)) == pytest.approx(1e24)
    serving = Hardware(utilisation=0.5, serving_utilisation=0.1)
    assert serving.serving_weight == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Hardware(chip="h10"), r"no chip called 'h10'\. Did you mean 'h100'"),
        (lambda: Hardware(utilisation=1.2), "share of the dense peak between 0 and 1; got 1.2"),
        (lambda: Hardware(price=-1.0), "price must be positive"),
        (lambda: Hardware().hours(1e20), "needs the number of chips"),
        (lambda: Hardware().compute_within(5.0), "limit of hours needs the number of chips"),
        (lambda: Hardware(gpus=8).compute_within(0.0), "hours must be positive"),
        (lambda: Hardware().money(1e20), "needs the price of a chip"),
        (lambda: costs.critical_batch(-1.0), "are positive; got -1.0"),
        (lambda: costs.extra_compute(0.0, 1e6), "a batch and a time of a step are positive"),
    ],
)
def test_hardware_that_cannot_be_gets_its_sentence(make, message: str):
    with pytest.raises(UsageError, match=message):
        make()


def test_steps_and_examples_lie_on_mccandlish_s_hyperbola():
    critical = float(costs.critical_batch(2.5))
    assert critical == pytest.approx(2e8 * 2.5 ** (-1 / 0.21))
    for batch in critical * np.array([0.01, 0.3, 1.0, 20.0]):
        steps = float(costs.extra_steps(batch, critical))
        examples = float(costs.extra_compute(batch, critical))
        assert (steps - 1) * (examples - 1) == pytest.approx(1.0)
        # E = B S with S_min = E_min/B_crit
        assert batch * steps / critical == pytest.approx(examples)
    # However large the batch, D/B_crit steps remain.
    least = costs.serial_hours(1e12, 1e6 * critical, critical, 3.0)
    assert least == pytest.approx(1e12 / critical * 3 / 3600, rel=1e-5)
