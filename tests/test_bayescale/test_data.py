"""Cards, the cache, and what happens when a file is absent, wrong or out of reach."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import bayescale.data
from bayescale.data import Card, cards, datasets, load
from bayescale.errors import DatasetError

REPOSITORY = Path(__file__).resolve().parents[2]
FETCHED = ("epoch_chinchilla", "misfitting")


@pytest.fixture
def lonely(monkeypatch, tmp_path):
    """Give an empty registry in a temporary folder, and an empty cache."""
    monkeypatch.setattr(bayescale.data, "_datasets_folder", lambda: tmp_path / "datasets")
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
    assert set(card.map.values()) <= set(card.columns)
    assert "loss" in card.map
    for column in card.columns.values():
        assert set(column) >= {"meaning", "unit"}
    assert all("source" in result for result in card.published.values())
    assert card.url is None or card.url.endswith(card.file)


@pytest.mark.parametrize("name", [name for name, card in cards().items() if card.url is None])
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


@pytest.mark.parametrize("name", FETCHED)
def test_the_columns_of_a_card_are_those_of_its_file(fetched, name):
    card = cards()[name]
    header = card.path().read_text("utf-8").splitlines()[0]
    assert header.split(",") == list(card.columns)


def test_loading_from_a_full_cache_writes_nothing(fetched):
    before = sorted(fetched.rglob("*"))
    for name in FETCHED:
        load(name)
    assert sorted(fetched.rglob("*")) == before


def test_an_unknown_name_gives_the_known_ones():
    with pytest.raises(DatasetError, match=r"no dataset called 'epoch_chinchila'\. Did you mean"):
        load("epoch_chinchila")
    with pytest.raises(DatasetError, match="Known datasets: epoch_chinchilla, misfitting"):
        load("../../etc")


def test_offline_without_a_cache_the_error_says_where_to_put_the_file(lonely):
    put(lonely, "far", url="http://127.0.0.1:9/runs.csv")
    with pytest.raises(DatasetError) as caught:
        load("far")
    message = str(caught.value)
    assert "http://127.0.0.1:9/runs.csv" in message
    assert str(lonely / "cache" / "far" / "runs.csv") in message
    assert "\n" not in message


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
