from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from autoloss.core.errors import InputError
from autoloss.data import TableEncoding, TableInputs
from autoloss.data.encode import bins_of_columns


def mixed_frame(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    words = np.array(["red", "green", "loud", "quiet", "old", "new", "fast", "slow", "warm"])
    return pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "town": rng.choice(["a", "b", "c"], n),
            "flag": rng.choice([True, False], n),
            "when": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(rng.integers(0, 999, n), unit="h"),
            "remark": [" ".join(rng.choice(words, size=7)) for _ in range(n)],
            "huge": np.where(rng.random(n) < 0.1, np.inf, rng.integers(0, 9, n)),
            "constant": 1,
        }
    )


@pytest.fixture
def encoding() -> TableEncoding:
    return TableEncoding.fit(mixed_frame())


def same(one: TableInputs, other: TableInputs) -> bool:
    return all(
        torch.equal(torch.nan_to_num(a, nan=99.0), torch.nan_to_num(b, nan=99.0))
        for a, b in (
            (one.numeric, other.numeric),
            (one.categories, other.categories),
            (one.terms, other.terms),
            (one.shares, other.shares),
        )
    )


def test_inputs_follow_the_schema(encoding: TableEncoding) -> None:
    inputs = encoding.transform(mixed_frame())
    schema = encoding.schema
    assert inputs.numeric.shape == (120, schema.n_numeric)
    assert inputs.numeric.dtype == torch.float32
    assert inputs.categories.shape == (120, len(schema.cardinalities))
    assert inputs.categories.dtype == torch.int64
    assert inputs.terms.shape == inputs.shares.shape == (120, schema.places)
    assert schema.edges.shape == (schema.n_numeric, 3)
    assert (schema.edges.diff(dim=1) >= 0).all()
    assert (inputs.categories < torch.tensor(schema.cardinalities)).all()
    assert not torch.isinf(inputs.numeric).any()
    assert encoding.dropped == (("constant", "the same value everywhere"),)
    assert [name for name, _ in encoding.n_infinite] == ["huge"]


def test_edges_span_the_training_rows(encoding: TableEncoding) -> None:
    numeric = encoding.transform(mixed_frame()).numeric
    low = torch.nan_to_num(numeric, nan=9.0).amin(0)
    high = torch.nan_to_num(numeric, nan=-9.0).amax(0)
    torch.testing.assert_close(encoding.schema.edges[:, 0], low)
    torch.testing.assert_close(encoding.schema.edges[:, -1], high)


def test_state_is_json_and_tensors_and_comes_back_exactly(
    tmp_path: Path, encoding: TableEncoding
) -> None:
    state, tensors = encoding.to_state()
    save_file(tensors, tmp_path / "state.safetensors")
    again = TableEncoding.from_state(
        json.loads(json.dumps(state)), load_file(tmp_path / "state.safetensors")
    )
    frame = mixed_frame(50).sample(frac=1.0, random_state=1)
    assert same(encoding.transform(frame), again.transform(frame))
    assert torch.equal(again.schema.edges, encoding.schema.edges)
    assert (again.dropped, again.kinds) == (encoding.dropped, encoding.kinds)


def test_a_model_of_an_earlier_version_is_still_read(encoding: TableEncoding) -> None:
    state, tensors = encoding.to_state()
    for column in state["columns"]:
        del column["marks"]
    again = TableEncoding.from_state(state, tensors)
    assert same(encoding.transform(mixed_frame()), again.transform(mixed_frame()))


def test_rows_are_encoded_one_by_one(encoding: TableEncoding) -> None:
    frame = mixed_frame()
    whole = encoding.transform(frame)
    rows = torch.tensor([5, 3, 77])
    part = encoding.transform(frame.iloc[rows.tolist()])
    taken = whole.take(rows)
    assert len(taken) == 3
    assert torch.equal(part.categories, taken.categories)
    torch.testing.assert_close(part.numeric, taken.numeric, equal_nan=True)
    assert torch.equal(part.terms, taken.terms)
    torch.testing.assert_close(part.shares, taken.shares)
    assert whole.take(torch.zeros(2, 4, dtype=torch.int64)).numeric.shape[:2] == (2, 4)
    assert same(whole.to("cpu"), whole)


def test_a_frame_may_come_through_a_file(tmp_path: Path, encoding: TableEncoding) -> None:
    from autoloss.data import read_table

    frame = mixed_frame()
    frame.to_csv(tmp_path / "table.csv", index=False)
    assert same(encoding.transform(read_table(tmp_path / "table.csv")), encoding.transform(frame))


def test_columns_beyond_those_used_do_not_matter(encoding: TableEncoding) -> None:
    frame = mixed_frame()
    other = frame.drop(columns="constant").assign(extra=1)[["extra", *frame.columns[-2::-1]]]
    assert same(encoding.transform(other), encoding.transform(frame))


def test_missing_columns_are_named(encoding: TableEncoding) -> None:
    with pytest.raises(InputError, match=r"new\.csv must have .* lacks 'town', 'flag'"):
        encoding.transform(mixed_frame().drop(columns=["town", "flag"]), label="new.csv")


def test_a_column_of_another_type_names_the_table(encoding: TableEncoding) -> None:
    with pytest.raises(InputError, match=r"new\.csv: Column 'number' must hold numbers"):
        encoding.transform(mixed_frame().assign(number="x"), label="new.csv")


def test_unseen_values_are_encoded(encoding: TableEncoding) -> None:
    frame = mixed_frame(2).assign(town="new", remark="something else entirely", number=1e30)
    inputs = encoding.transform(frame)
    assert inputs.categories[:, 0].tolist() == [0, 0]
    assert torch.isfinite(inputs.shares).all()
    assert (inputs.numeric[:, 0] <= 3.0).all()


def test_nothing_to_learn_from_says_why() -> None:
    with pytest.raises(InputError, match="'a': the same value everywhere"):
        TableEncoding.fit(pd.DataFrame({"a": [1] * 30, "b": [None] * 30}))
    with pytest.raises(InputError, match="besides the target"):
        TableEncoding.fit(pd.DataFrame(index=range(30)))


def test_a_state_of_another_version_is_refused(encoding: TableEncoding) -> None:
    state, tensors = encoding.to_state()
    with pytest.raises(InputError, match="version=2"):
        TableEncoding.from_state({**state, "version": 2}, tensors)


def test_columns_share_the_bins_that_there_are():
    rng = np.random.default_rng(0)

    def edges(n_rows, n_columns):
        frame = pd.DataFrame(rng.normal(size=(n_rows, n_columns)).round(1)).rename(columns=str)
        return TableEncoding.fit(frame, bins=16).schema.edges.shape

    # A bin for 20 rows, shared by the columns.
    assert edges(600, 10) == (10, 4)
    assert edges(600, 3) == (3, 9)
    assert edges(600, 100) == (100, 3)
    assert edges(60, 4_000) == (4_000, 3)
    assert edges(60, 9_000) == (9_000, 1)


def test_more_rows_have_more_bins_and_more_columns_fewer():
    sizes = [(rows, columns) for rows in (100, 3_000, 100_000) for columns in (1, 6, 60, 600)]
    found = {size: bins_of_columns(size[1], size[0], 48) for size in sizes}
    for (rows, columns), bins in found.items():
        assert 2 <= bins <= 48
        assert bins <= found.get((100_000, columns), 48)
        assert bins >= found.get((rows, 600), 2)
        # The least is two bins of a column, whatever the number of rows.
        assert bins == 2 or bins * columns <= rows / 20
    assert found[100_000, 1] == 48
