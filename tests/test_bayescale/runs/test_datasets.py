"""Cards, their tables, the cache, and what happens when a file is absent, wrong or out of reach."""

import hashlib
import re
import threading
from fnmatch import fnmatchcase
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale.runs.datasets
from bayescale.errors import DatasetError, RunsWarning
from bayescale.runs.datasets import Card, cards, datasets, load
from theory import laws

REPOSITORY = Path(__file__).resolve().parents[3]
FETCHED = ("epoch_chinchilla", "misfitting")
TABLED = [name for name, card in cards().items() if card.tables]


def at_hand(name: str) -> Card:
    """Give the card of a dataset; the test is skipped where a file of it is absent."""
    card = cards()[name]
    files = {card.table(table).place for table in card.tables} | {card.place}
    if not all(path.is_file() for path in files):
        pytest.skip(f"dataset {name} is not at hand; set BAYESCALE_DATA to its folder")
    return card


def made(card: Card) -> set[str]:
    """Columns that a card makes, beside those of its file."""
    return {card.melt.get("into"), *card.melt.get("columns", {}), *card.standard_errors} - {None}


@pytest.fixture
def lonely(monkeypatch, tmp_path):
    """Give an empty registry in a temporary folder, and an empty cache."""
    monkeypatch.setattr(bayescale.runs.datasets, "_datasets_folder", lambda: tmp_path / "datasets")
    monkeypatch.setenv("BAYESCALE_DATA", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path


@pytest.fixture
def server(tmp_path):
    """Serve the folder `web` over HTTP; give its address and the folder."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}", folder
        httpd.shutdown()


def put(root, name, **changes):
    fields = {
        "name": name,
        "title": "t",
        "description": "d",
        "source": "s",
        "licence": "l",
        "file": "runs.csv",
        "sha256": "0" * 64,
        **changes,
    }
    folder = root / "datasets" / name
    folder.mkdir(parents=True)
    lines = [f'{key} = "{value}"' for key, value in fields.items()]
    (folder / "card.toml").write_text("\n".join(lines))
    return folder


def test_every_folder_with_a_card_is_a_dataset():
    folders = {path.parent.name for path in (REPOSITORY / "datasets").glob("*/card.toml")}
    assert set(cards()) == folders
    assert set(FETCHED) <= folders
    assert set(datasets().index) == folders


@pytest.mark.parametrize("name", sorted(cards()))
def test_every_card_is_complete(name):
    card = cards()[name]
    assert card.name == name
    assert len(card.sha256) == 64
    for table in [card.table(table) for table in card.tables] or [card]:
        assert set(table.map.values()) <= {*card.columns, *made(card)}
        assert ("loss" in table.map) == (card.holds == "runs")
    for column in card.columns.values():
        assert set(column) >= {"meaning", "unit"}
    assert all("source" in result for result in card.published.values())
    assert card.url is None or (card.url.endswith(card.file) and card.conversion is None)
    assert card.default is None or card.default in card.tables


@pytest.mark.parametrize("name", sorted(cards()))
def test_every_file_has_the_columns_and_rows_of_its_card(name):
    card = at_hand(name)
    whole = {table.file: table for table in map(card.table, card.tables) if table.rows}
    for table in {card.file: card, **whole}.values():
        frame = pd.read_csv(table.path())
        assert len(frame) == table.rows
        for column in frame:
            assert any(fnmatchcase(column, known) for known in card.columns), column
    if not card.tables:
        assert list(frame) == list(card.columns)


@pytest.mark.parametrize(
    "name",
    [name for name, card in cards().items() if card.is_shipped and card.holds == "runs"],
)
def test_every_shipped_dataset_loads(name):
    runs = load(name)
    assert runs.name == name
    assert len(runs) > 0


def test_epoch_chinchilla_has_245_runs_and_computed_tokens(fetched):
    runs = load("epoch_chinchilla")
    assert len(runs) == 245
    assert runs.resources == ("N", "D", "C")
    assert runs.notes == ("D computed as C / (6 N).",)
    np.testing.assert_allclose(6 * runs.column("N") * runs.column("D"), runs.column("C"))
    assert 5 < runs.loss.max() < 5.01
    assert len(runs.drop_highest_losses(5)) == 240


def test_misfitting_keeps_its_261_rows_as_published(fetched):
    runs = load("misfitting")
    assert len(runs) == 261
    assert len(set(zip(runs.column("N"), runs.column("D"), strict=True))) == 81
    assert "were kept" in runs.notes[0]


def test_the_map_of_a_card_can_be_changed(fetched):
    runs = load("misfitting", columns={"N": "N_no_emb", "C": "C_no_emb"})
    assert runs.column("N").max() < load("misfitting").column("N").max()
    assert len(runs.column("N_in_file")) == 261


def test_loading_from_a_full_cache_writes_nothing(fetched):
    before = sorted(fetched.rglob("*"))
    for name in FETCHED:
        load(name)
    assert sorted(fetched.rglob("*")) == before


@pytest.mark.parametrize("name", sorted(set(TABLED) - {"extrapolation_curves"}))
@pytest.mark.filterwarnings("ignore:.* distinct values of column:bayescale.errors.RunsWarning")
def test_every_table_loads_under_its_name(name):
    card = at_hand(name)
    for table in card.tables:
        runs = load(name, table=table)
        assert runs.name == f"{name}/{table}"
        assert np.isfinite(runs.loss).all()
        assert set(card.map) - {"C"} <= set(runs.table)


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("porian_isoflop", ["dataset", "hparams", "warmup", "decay", "param_count"]),
        ("extrapolation_curves", ["task"]),
    ],
)
def test_the_named_tables_are_all_there_are(name, columns):
    card = at_hand(name)
    counts = pd.read_csv(card.path()).groupby(columns).size()
    found = {"/".join(key) if len(columns) > 1 else key: n for key, n in counts.items()}
    assert set(found) == set(card.tables)
    for table in list(card.tables)[:15]:
        assert len(load(name, table=table)) == found[table]


def test_gadre_has_eight_losses_of_two_corpora_with_their_errors():
    card = at_hand("gadre_overtrain")
    runs = load("gadre_overtrain", table="rw_original/paloma_ptb")
    file = pd.read_csv(card.path()).query("train_dataset == 'rw_original'")
    np.testing.assert_array_equal(runs.loss, file["loss_paloma_ptb"])
    np.testing.assert_array_equal(runs.column("N"), file["params"])
    np.testing.assert_allclose(runs.column("C"), 6.0 * file["params"] * file["tokens"])
    lower, upper = (file[f"loss_{end}95_paloma_ptb"] for end in ("lower", "upper"))
    np.testing.assert_allclose(runs.column("loss_se"), (upper - lower) / 3.92)
    assert set(runs.column("corpus")) == {"rw_original"}
    assert set(runs.column("evaluation")) == {"paloma_ptb"}


def test_gadre_is_also_one_long_table():
    at_hand("gadre_overtrain")
    with pytest.warns(RunsWarning, match="only 70 distinct values"):
        runs = load("gadre_overtrain", table="all")
    assert len(runs) == 560
    assert set(runs.table.groupby(["corpus", "evaluation"]).size()) == {35}
    assert {"run", "N", "D", "loss", "loss_se"} <= set(runs.table)
    part = load("gadre_overtrain", table="rpj/c4_val")
    chosen = (runs.table["corpus"] == "rpj") & (runs.table["evaluation"] == "c4_val")
    assert sorted(runs.loss[chosen]) == sorted(part.loss)


def test_gemstones_are_checkpoints_of_few_runs_and_say_so():
    at_hand("gemstones")
    with pytest.warns(RunsWarning, match="199 rows have only 20 distinct values"):
        runs = load("gemstones")
    assert runs.name == "gemstones"
    with pytest.warns(RunsWarning, match="22 distinct values"):
        hot = load("gemstones", table="hot_100b+")
    assert hot.column("D").max() > 3 * runs.column("D").max()


def test_clark_routing_has_one_row_a_run_with_the_dense_models():
    at_hand("clark_routing")
    sizes = {"dense": 8, "hash": 59, "rl-r": 61, "s-base": 61}
    for table, rows in sizes.items():
        runs = load("clark_routing", table=table)
        assert len(runs) == rows == len(set(runs.column("run")))
        assert runs.resources == ("N",)
        assert runs.column("experts").min() == 1


def test_steplaw_has_17_sizes_whose_n_leaves_out_embeddings():
    at_hand("steplaw")
    runs = load("steplaw")
    h, wide, deep = (runs.column(name) for name in ("h", "ffnh", "numl"))
    np.testing.assert_array_equal(runs.column("N"), (4 * h**2 + 3 * h * wide) * deep)
    best = runs.select(lambda t: t["loss"] == t.groupby(["N", "D"])["loss"].transform("min"))
    assert len(best) == 17


def test_muennighoff_gives_the_published_objective():
    card = at_hand("muennighoff_data_constrained")
    runs = load("muennighoff_data_constrained", table="fit_subset")
    published = card.published["fit"]
    values = published["parameters"]
    values |= {name: np.exp(values[f"log_{name}"]) for name in "ABE"}
    values["fill"] = (values["A"] / values["B"]) ** (1 / values["alpha"])
    law = laws.muennighoff
    sizes = {name: runs.column(name).astype(float) for name in "NDU"}
    loss = law.loss(**{p.name: values[p.name] for p in law.parameters}, **sizes)
    residual = np.abs(np.log(loss) - np.log(runs.loss))
    huber = np.where(residual < 1e-3, residual**2 / 2, 1e-3 * (residual - 5e-4))
    assert huber.sum() == pytest.approx(published["objective"], rel=1e-6)
    assert len(load("muennighoff_data_constrained")) == 296


def test_a_table_is_its_card_with_entries_changed():
    card = cards()["muennighoff_data_constrained"]
    table = card.table("fit_subset")
    assert (table.file, table.rows) == ("fit_subset.csv", 182)
    assert table.map == {**card.map, "run": "name"}
    assert table.title == card.title
    assert card.table() == card.table("all")
    assert cards()["misfitting"].table() == cards()["misfitting"]


def test_an_unknown_table_gives_the_near_and_the_known_ones():
    with pytest.raises(DatasetError, match=r"no table 'rpj/c4-val'\. Did you mean 'rpj/c4_val'\?"):
        load("gadre_overtrain", table="rpj/c4-val")
    with pytest.raises(
        DatasetError, match=r"Did you mean 'IC\|bird_10\|BiT/50/1' or .*\(169 in all"
    ):
        load("extrapolation_curves", table="IC|bird")
    with pytest.raises(DatasetError, match="'misfitting' is a single table; leave out table='x'"):
        load("misfitting", table="x")


def test_tables_that_are_not_to_be_fitted_as_one_must_be_chosen():
    with pytest.raises(
        DatasetError, match=r"holds 15 tables, .* choose one, such as table=.*rw/tuned"
    ):
        load("porian_isoflop")


def test_fits_are_not_runs():
    with pytest.raises(DatasetError, match=r"published fits, not runs; .* published_fits\(\)"):
        load("published_fits")


def test_an_unknown_name_gives_the_known_ones():
    with pytest.raises(DatasetError, match=r"no dataset called 'epoch_chinchila'\. Did you mean"):
        load("epoch_chinchila")
    with pytest.raises(DatasetError, match="Known datasets: clark_routing, epoch_chinchilla"):
        load("../../etc")


def test_offline_without_a_cache_the_error_says_where_to_put_the_file(lonely):
    put(lonely, "far", url="http://127.0.0.1:9/runs.csv")
    with pytest.raises(DatasetError) as caught:
        load("far")
    message = str(caught.value)
    assert "http://127.0.0.1:9/runs.csv" in message
    assert str(lonely / "cache" / "far" / "runs.csv") in message
    assert "\n" not in message


def test_a_converted_file_that_is_absent_says_how_to_make_it(lonely):
    put(lonely, "made", conversion="join x.json and y.json to one CSV")
    place = lonely / "cache" / "made" / "runs.csv"
    sentence = (
        f"dataset 'made': there is no file {place}, and it cannot be fetched because it was "
        "converted; make it from s (join x.json and y.json to one CSV), or set BAYESCALE_DATA to "
        "a folder that holds made/runs.csv."
    )
    with pytest.raises(DatasetError, match=f"^{re.escape(sentence)}$"):
        load("made")
    assert not datasets().loc["made", "at hand"]
    place.parent.mkdir(parents=True)
    place.write_text("N,loss\n1,2\n")
    with pytest.raises(DatasetError, match=r"000000000000\.\.\.; make it again \(join x\.json"):
        load("made")
    assert datasets().loc["made", "at hand"]


def test_a_file_is_fetched_once_and_then_read_from_the_cache(lonely, server):
    address, web = server
    (web / "runs.csv").write_text("N,loss\n1,2\n")
    sha256 = hashlib.sha256((web / "runs.csv").read_bytes()).hexdigest()
    put(lonely, "far", url=f"{address}/runs.csv", sha256=sha256)
    assert not datasets().loc["far", "at hand"]
    assert len(load("far")) == 1
    (web / "runs.csv").unlink()
    assert len(load("far")) == 1
    assert datasets().loc["far", "at hand"]


def test_a_download_with_a_wrong_checksum_is_not_kept(lonely, server):
    address, web = server
    (web / "runs.csv").write_text("N,loss\n1,2\n")
    put(lonely, "far", url=f"{address}/runs.csv")
    with pytest.raises(DatasetError, match=r"does not have the SHA-256 of the card"):
        load("far")
    assert not (lonely / "cache" / "far" / "runs.csv").exists()


def test_a_download_that_is_not_found_is_one_sentence(lonely, server):
    put(lonely, "far", url=f"{server[0]}/runs.csv")
    with pytest.raises(DatasetError, match=r"could not be fetched from .* \(HTTPError\)"):
        load("far")


def test_a_wrong_checksum_is_refused_and_the_file_left_alone(lonely):
    put(lonely, "far", url="http://127.0.0.1:9/runs.csv")
    path = lonely / "cache" / "far" / "runs.csv"
    path.parent.mkdir(parents=True)
    path.write_text("N,loss\n1,2\n")
    with pytest.raises(DatasetError, match=r"has SHA-256 .* but the card says 000000000000"):
        load("far")
    assert path.read_text() == "N,loss\n1,2\n"


def test_a_shipped_file_that_changed_is_refused(lonely):
    (put(lonely, "near") / "runs.csv").write_text("N,loss\n1,2\n")
    with pytest.raises(DatasetError, match="but the card says"):
        load("near")
    (lonely / "datasets" / "near" / "runs.csv").unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        load("near")


def test_a_card_that_cannot_be_used_is_named(lonely):
    folder = put(lonely, "odd")
    (folder / "card.toml").write_text('name = "odd"\n')
    with pytest.raises(DatasetError, match=r"odd/card\.toml cannot be used"):
        cards()
    (folder / "card.toml").write_text("name = \n")
    with pytest.raises(DatasetError, match=r"odd/card\.toml cannot be used"):
        cards()


def test_a_card_is_called_after_its_folder(lonely):
    folder = put(lonely, "right")
    text = (folder / "card.toml").read_text().replace('"right"', '"wrong"')
    (folder / "card.toml").write_text(text)
    with pytest.raises(DatasetError, match="calls itself 'wrong'"):
        cards()


def test_a_card_is_data(fetched):
    card = cards()["epoch_chinchilla"]
    assert isinstance(card, Card)
    assert card.published["huber"]["parameters"]["alpha"] == 0.347313
    assert card.columns["Training FLOP"]["unit"] == "FLOP"
