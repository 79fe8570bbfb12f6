"""Databases: nothing of the user's is changed, waiting transactions are read, damage is told."""

import hashlib
import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from bayescale.errors import LimitError, RunsError
from bayescale.logs import database, write_ahead_log
from bayescale.logs.database import is_database, opened


def values(path: Path) -> list[int]:
    with opened(path) as found:
        return [value for (value,) in found.rows("SELECT value FROM points ORDER BY value")]


def fingerprints(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@pytest.fixture
def live(tmp_path):
    """A folder as a killed logger leaves it: of 40 transactions, 20 are in the database."""
    work, killed = tmp_path / "work", tmp_path / "killed"
    work.mkdir()
    connection = sqlite3.connect(work / "a.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE points (value INTEGER)")
    for value in range(40):
        if value == 20:
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO points VALUES (?)", (value,))
    killed.mkdir()
    for file in ("a.db", "a.db-wal"):
        shutil.copy(work / file, killed / file)
    connection.close()
    return killed / "a.db"


def test_transactions_that_wait_are_read_and_nothing_is_written(live):
    before = fingerprints(live.parent)
    with opened(live) as found:
        assert len(list(found.rows("SELECT * FROM points"))) == 40
        assert found.notes == ()
    assert fingerprints(live.parent) == before
    live.with_name("a.db-wal").unlink()
    assert values(live) == list(range(20))
    assert [*fingerprints(live.parent)] == ["a.db"]


def test_a_transaction_that_was_rolled_back_is_not_read(tmp_path):
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE points (value INTEGER)")
    connection.execute("INSERT INTO points VALUES (1)")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("PRAGMA cache_spill = 1")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO points VALUES (?)", [(i,) for i in range(2, 50_000)])
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("a.db", "a.db-journal"):
        shutil.copy(tmp_path / name, killed / name)
    connection.rollback()
    connection.close()
    assert (killed / "a.db").stat().st_size > 100_000  # pages of the transaction are in it
    assert values(killed / "a.db") == [1]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_whole_log_has_no_damage_in_either_byte_order(live, order):
    log = live.with_name("a.db-wal")
    assert write_ahead_log.damage(log) is None
    data = log.read_bytes()
    assert data[:4] == bytes.fromhex("377f0682")  # as this machine writes it
    if order == ">":
        log.write_bytes(data[:3] + b"\x83" + data[4:])
        assert write_ahead_log.damage(log) == "has a damaged header"


def test_a_damaged_log_never_loses_transactions_without_a_word(live):
    log = live.with_name("a.db-wal")
    data, whole = log.read_bytes(), values(live)
    page = 4096 + 24
    draw = random.Random(0)
    for trial in range(150):
        copy = bytearray(data)
        copy[draw.randrange(len(copy)) if trial > 32 else trial] ^= 1 << draw.randrange(8)
        log.write_bytes(copy)
        with opened(live) as found:
            read = [value for (value,) in found.rows("SELECT value FROM points ORDER BY value")]
            assert read == whole[: len(read)]
            if read != whole:
                assert "the last transactions are lost" in found.notes[0]
    for frames in range(3):
        log.write_bytes(data[: 32 + frames * page + 100])
        with opened(live) as found:  # the transaction was not complete
            assert found.notes == ()
    log.write_bytes(data[:20])
    with opened(live) as found:
        assert "cut short within its header" in found.notes[0]


def test_a_cut_or_changed_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE points (value INTEGER)")
    connection.executemany("INSERT INTO points VALUES (?)", [(i,) for i in range(5000)])
    connection.commit()
    connection.close()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(RunsError, match=r"a damaged database of SQLite \(.*\); .*\.recover"):
        values(path)
    path.write_bytes(data[:9000] + bytes(2000) + data[11000:])
    with pytest.raises(RunsError, match="a damaged database of SQLite"):
        values(path)
    path.write_bytes(b"text")
    assert not is_database(path)
    with pytest.raises(RunsError, match="not a database of SQLite"):
        values(path)
    assert not is_database(tmp_path / "missing")
    with pytest.raises(RunsError, match="cannot be read"):
        values(tmp_path / "missing")


def test_a_name_with_marks_of_addresses_is_a_file(tmp_path):
    path = tmp_path / "a?mode=memory#b%20.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE points (value INTEGER)")
    connection.execute("INSERT INTO points VALUES (7)")
    connection.commit()
    connection.close()
    assert values(path) == [7]


def test_views_are_no_tables(tmp_path):
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE VIEW points AS WITH RECURSIVE r(value) AS (SELECT 1 UNION ALL SELECT value + 1 "
        "FROM r) SELECT value FROM r"
    )
    connection.close()
    with opened(path) as found:
        assert found.columns("points") == []


def test_what_does_not_end_and_what_is_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE points (value INTEGER, more AS (zeroblob(100000000)))")
    connection.executemany("INSERT INTO points VALUES (?)", [(i,) for i in range(2000)])
    connection.commit()
    connection.close()
    with pytest.raises(LimitError, match="a cell of the database is larger"), opened(path) as found:
        list(found.rows("SELECT more FROM points"))
    monkeypatch.setattr(database, "_MOST_STEPS", 3_000_000)
    with pytest.raises(LimitError, match="does not end"), opened(path) as found:
        list(found.rows("SELECT count(*) FROM points a, points b, points c"))


def test_waiting_transactions_too_large_to_copy_are_refused(live, monkeypatch):
    monkeypatch.setattr(database, "_MOST_COPIED", 1000)
    with pytest.raises(LimitError, match="at most 1000 are copied"):
        values(live)


def test_a_locked_database_is_said_to_be_so(tmp_path):
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE points (value INTEGER)")
    connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RunsError, match="locked by its logger"):
        values(path)
    connection.close()
