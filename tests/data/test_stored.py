from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from autoloss.data import DataOptions, TableEncoding, prepare, table_folds
from autoloss.data import parquet as reading
from autoloss.data.fingerprint import row_hashes
from autoloss.data.read import load_table
from autoloss.data.stored import StoredInputs, StoredTable


@pytest.fixture
def frame():
    """Columns of every kind, with gaps, infinities and rare levels."""
    rng = np.random.default_rng(0)
    n = 600
    numbers = rng.normal(size=n)
    numbers[::7] = np.nan
    numbers[::50] = np.inf
    words = np.array(["red", "green", "blue", " teal"])[rng.integers(4, size=n)].astype(object)
    words[::9] = None
    sentences = [f"the {a} {b} of {c}" for a, b, c in rng.integers(9, size=(n, 3))]
    return pd.DataFrame(
        {
            "a": numbers,
            "b": rng.integers(9, size=n),
            "c": rng.normal(size=n).astype(np.float32),
            "money": [f"{x:,.2f}" for x in rng.uniform(0, 1e5, n)],
            "word": words,
            "flag": rng.random(n) > 0.5,
            "day": pd.date_range("2020-01-01", periods=n),
            "text": sentences,
            "maybe": pd.array(rng.integers(3, size=n), dtype="Int64"),
            "y": rng.integers(2, size=n),
        }
    )


def equal(one, other):
    return all(
        torch.equal(getattr(one, name).nan_to_num(99.0), getattr(other, name).nan_to_num(99.0))
        for name in ("numeric", "terms", "shares")
    ) and torch.equal(one.categories, other.categories)


def test_taken_rows_equal_the_rows_of_an_encoded_copy(frame):
    inputs = frame.drop(columns="y")
    train, rows = np.arange(0, 400), np.arange(600)[::-1].copy()
    encoding = TableEncoding.fit(inputs, rows=train)
    copied = encoding.transform(inputs.iloc[rows])
    stored = StoredInputs(StoredTable(inputs), encoding, rows)
    assert len(stored) == len(copied) == 600
    for places in (torch.arange(600), torch.randint(600, (3, 40)), torch.tensor([5])):
        assert equal(stored.take(places), copied.take(places))
    assert stored.to("cpu", torch.float64).take(torch.arange(3)).numeric.dtype == torch.float64


def test_an_encoding_of_rows_is_that_of_a_copy_of_them(frame):
    inputs = frame.drop(columns="y")
    rows = np.sort(np.random.default_rng(1).choice(600, 300, replace=False))
    one, other = TableEncoding.fit(inputs, rows=rows), TableEncoding.fit(inputs.iloc[rows])
    assert one.to_state()[0] == other.to_state()[0]
    assert all(torch.equal(a, other.to_state()[1][key]) for key, a in one.to_state()[1].items())


def test_a_large_table_is_prepared_as_a_small_one(frame, monkeypatch):
    small = prepare(frame, DataOptions(target="y"))
    monkeypatch.setattr(table_folds, "LARGE", 1)
    large = prepare(frame, DataOptions(target="y"))
    assert large.fingerprint == small.fingerprint
    assert large.notes == small.notes
    assert isinstance(large.train.inputs, StoredInputs)
    everything = torch.arange(len(small.train))
    assert equal(large.train.inputs.take(everything), small.train.inputs)
    assert equal(
        large.replicates(1, seed=3)[0].valid.inputs.take(torch.arange(9)),
        small.replicates(1, seed=3)[0].valid.inputs.take(torch.arange(9)),
    )


def test_words_that_are_kept_once_are_read_as_any_text(frame, tmp_path, monkeypatch):
    path = tmp_path / "table.parquet"
    numbers = [f"{x:03d}" for x in np.arange(600) % 7]
    frame = frame.assign(code=numbers, digits=[x.lstrip("0") or None for x in numbers])
    parquet.write_table(pa.Table.from_pandas(frame), path, row_group_size=100)
    usual = prepare(path, DataOptions(target="y"))
    monkeypatch.setattr(reading, "_MANY_ROWS", 1)
    monkeypatch.setattr(reading, "_CELLS_AT_ONCE", 1)
    monkeypatch.setattr(table_folds, "LARGE", 1)
    kept = load_table(path).frame
    once = [name for name in kept if isinstance(kept[name].dtype, pd.ArrowDtype)]
    assert once == ["word", "code", "digits"]
    few = prepare(path, DataOptions(target="y"))
    assert few.fingerprint == usual.fingerprint
    assert few.notes == usual.notes
    assert few.encoding.kinds == usual.encoding.kinds
    everything = torch.arange(len(usual.train))
    assert equal(few.train.inputs.take(everything), usual.train.inputs)


def test_row_hashes_equal_pandas_hashes(frame):
    frame = frame.assign(odd=[1, "a", None] * 200)
    plain = frame.assign(
        **{name: frame[name].map(str) for name in frame if frame[name].dtype == object}
    )
    expected = pd.util.hash_pandas_object(plain, index=False).to_numpy()
    assert np.array_equal(row_hashes(frame), expected)


@pytest.mark.parametrize("cells", [1, 1_500, 1 << 23])
def test_parquet_in_pieces_is_the_whole_file(frame, tmp_path, monkeypatch, cells):
    path = tmp_path / "table.parquet"
    parquet.write_table(pa.Table.from_pandas(frame), path, row_group_size=100)
    whole = parquet.read_table(path).to_pandas(ignore_metadata=True)
    monkeypatch.setattr(reading, "_CELLS_AT_ONCE", cells)
    pd.testing.assert_frame_equal(load_table(path).frame, whole)
