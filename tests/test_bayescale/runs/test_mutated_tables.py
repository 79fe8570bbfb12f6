"""Mutated tables of every format give our errors or right values, never another error.

What is right is said by a reader of another kind: Python's own csv and json for text, and for
Parquet, whose pages have checksums, the table that was written.
"""

import csv
import gzip
import io
import json
import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from bayescale.errors import BayescaleError
from bayescale.runs.table import Runs, read_runs

ENDINGS = {
    "csv": "csv",
    "tsv": "tsv",
    "semicolons": "csv",
    "records": "json",
    "columns": "json",
    "lines": "jsonl",
    "gzip": "csv.gz",
    "parquet": "parquet",
}
FORMATS = tuple(ENDINGS)
SEMICOLONS = {"separator": ";", "decimal": ","}
MISSING = {"", "-", "--", "na", "n/a", "nan", "null", "none"}
NUMERIC = ("N", "D", "C", "loss")
TOKENS = [
    *(
        b'"',
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r",
        b"\r\n",
        b"\x00",
        b"\xff",
        b"\xc3",
        b'""',
        b'",',
        b',"',
    ),
    *(
        b"nan",
        b"inf",
        b"-",
        b"1e999",
        b"1e-999",
        b"0",
        b".",
        b"70B",
        b"1,000",
        b"{",
        b"}",
        b"[",
        b"]",
    ),
    *(b"1", b"7", b"0", b"12", b"5", b"\n\n", b"\r\n\r\n", b" \t"),
    *(b":", b"null", b"true", b"9" * 400, b"N", b"loss", b"\xe2\x80\xa8", b" ", b"e", b"M", b"(M)"),
]


def written(kind: str, rng: np.random.Generator) -> bytes:
    """A table of twelve runs in a format."""
    n = 12
    frame = pd.DataFrame(
        {
            "N": rng.integers(10**6, 10**9, n),
            "D": rng.integers(10**8, 10**11, n).astype(float),
            "loss": np.round(rng.uniform(2, 4, n), 4),
            "who": ["plain", "a, b", "it's", 'said "so"', "two\nlines", "é"] * 2,
        }
    )
    if kind in {"csv", "gzip"}:
        text = frame.to_csv(index=False).encode()
        return text if kind == "csv" else gzip.compress(text, mtime=0)
    if kind == "tsv":
        return frame.to_csv(index=False, sep="\t").encode()
    if kind == "semicolons":
        return frame.to_csv(index=False, sep=";", decimal=",").encode()
    if kind == "parquet":
        stream = io.BytesIO()
        table = pa.Table.from_pandas(frame, preserve_index=False)
        pa.parquet.write_table(table, stream, row_group_size=5, write_page_checksum=True)
        return stream.getvalue()
    orient: Any = {"records": "records", "columns": "list", "lines": "records"}[kind]
    content = frame.to_dict(orient=orient)
    if kind == "lines":
        return "\n".join(json.dumps(one) for one in content).encode()
    return json.dumps(content).encode()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The same with one to three changes."""
    for _ in range(1 + rng.binomial(2, 0.15)):
        at = int(rng.integers(0, len(content) + 1))
        to = min(len(content), at + int(rng.geometric(0.15)))
        token = TOKENS[rng.integers(len(TOKENS))]
        flipped = bytes([content[at] ^ (1 << int(rng.integers(8)))]) if at < len(content) else b""
        content = [
            content[:at] + flipped + content[at + 1 :],
            content[:at] + token + content[at:],
            content[:at] + token + content[at + len(token) :],
            content[:at] + content[to:],
            content[:to] + content[at:],
            content[:at],
        ][rng.choice(6, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])]
    return content


def number(cell: Any, comma: bool) -> float:
    """What a cell of text or JSON is worth; what is no number raises ValueError."""
    if cell is None:
        return math.nan
    if isinstance(cell, bool):
        raise ValueError
    if not isinstance(cell, str):
        return float(str(cell))  # an integer of hundreds of digits is infinite
    plain = cell.strip(" \t\r\n\x0b\x0c").lower()
    if comma:
        plain = plain.translate(str.maketrans(".,", ",."))
    if plain in MISSING:
        return math.nan
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", plain):
        plain = plain.replace(",", "")
    if "_" in plain:
        raise ValueError
    return float(plain)


def rows_of(kind: str, content: bytes) -> list[dict[str, Any]]:
    """The rows that a table says, by a reader that is not ours."""
    if kind == "gzip":
        content = gzip.decompress(content)
    text = content.decode("utf-8-sig")
    if kind in {"csv", "tsv", "semicolons", "gzip"}:
        separator = {"tsv": "\t", "semicolons": ";"}.get(kind, ",")
        found = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header, *rows = [row for row in found if row]
        return [dict(zip(map(str.strip, header), row, strict=True)) for row in rows]
    if kind == "lines":
        lines = [line for line in text.split("\n") if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except json.JSONDecodeError:  # the last one may be cut short
            return [json.loads(line) for line in lines[:-1]]
    found = json.loads(text)
    if isinstance(found, list):
        return found
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def expected(kind: str, content: bytes) -> dict[str, np.ndarray]:
    """The columns of numbers of the rows in which all are finite."""
    rows = rows_of(kind, content)
    names = [name for name in NUMERIC if any(name in row for row in rows)]
    values = np.array(
        [[number(row.get(name), kind == "semicolons") for name in names] for row in rows]
    )
    values = values[np.isfinite(values).all(axis=1)]
    return dict(zip(names, values.T, strict=True))


def outcome(read: Callable[[], Runs]) -> Runs | None:
    """What was read, or None where it was refused by one of our errors in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read()
        except BayescaleError as error:
            if "\n" in str(error):
                raise AssertionError("a message has one line") from error
            return None


def check(kind: str, seed: int, folder: Path) -> bool:
    """Read one mutated table; whether it was read."""
    rng = np.random.default_rng([seed, FORMATS.index(kind)])
    whole = written(kind, rng)
    content = mutated(whole, rng)
    path = folder / f"runs.{ENDINGS[kind]}"
    path.write_bytes(content)
    dialect = SEMICOLONS if kind == "semicolons" else None
    outcome(lambda: read_runs(path, dialect=dialect))
    runs = outcome(
        lambda: read_runs(
            path, dialect=dialect, guess=False, on_duplicates="keep", max_bad_fraction=0.99
        )
    )
    if runs is None:
        return False
    if kind == "parquet":
        table = pa.parquet.read_table(io.BytesIO(whole)).to_pandas()
        kept = {*pa.parquet.read_schema(path).names}  # a name may be mutated
        right = {name: table[name].to_numpy(float) for name in NUMERIC if name in {*table} & kept}
    else:
        right = expected(kind, content)
    for name, values in right.items():
        np.testing.assert_array_equal(
            runs.column(name), values, err_msg=f"{kind} {seed} {content!r}"
        )
    return True


@pytest.mark.parametrize("kind", FORMATS)
def test_the_table_itself_is_read(kind: str, tmp_path: Path) -> None:
    content = written(kind, np.random.default_rng(0))
    path = tmp_path / f"runs.{ENDINGS[kind]}"
    path.write_bytes(content)
    runs = read_runs(path, dialect=SEMICOLONS if kind == "semicolons" else None, guess=False)
    assert len(runs) == 12
    assert runs.table["who"].tolist()[4] == "two\nlines"
    if kind != "parquet":
        np.testing.assert_array_equal(runs.loss, expected(kind, content)["loss"])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_mutated_table_is_refused_or_read_rightly(kind: str, tmp_path: Path) -> None:
    read = [check(kind, seed, tmp_path) for seed in range(50)]
    assert 0 < sum(read) or kind == "gzip"
    assert sum(read) < len(read)


@pytest.mark.slow
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("block", range(10))
def test_twenty_thousand_mutated_tables(kind: str, block: int, tmp_path: Path) -> None:
    for seed in range(50 + 245 * block, 295 + 245 * block):
        check(kind, seed, tmp_path)
