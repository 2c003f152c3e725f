"""Predicted labels have the type of the training labels, from every source."""

from __future__ import annotations

import datetime
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from autoloss.core.task import Task
from autoloss.data import DataOptions
from autoloss.data.class_knowledge import check_weights, ordered_weights
from autoloss.data.classes import task_of
from autoloss.data.costs import check_costs, ordered_costs
from autoloss.data.roles import group_codes
from autoloss.data.sources import load_sources

N = 60
LONG = 2**53
OPTIONS = DataOptions(target="y")


def spread(labels: list[Any]) -> list[Any]:
    return [labels[k * 7 % len(labels)] for k in range(N)]


def given_back(source: Any, options: DataOptions = OPTIONS) -> tuple[np.ndarray, Task]:
    """The label of every row, by its code, as a classifier would name it."""
    sources = load_sources(source, options)
    present = np.flatnonzero(sources.main.labels.keys.notna())
    task, keys, _ = task_of(sources, present, options)
    return task.labels[sources.main.labels.codes(keys)], task


def table(labels: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(N) % 11, "y": labels})


KINDS = {
    "words": ["b", "a"],
    "blanks around": [" >50K", "<=50K ", "<=50K"],
    "words that say missing": ["NA", "nan", "?"],
    "numbers in words": ["1.1", "1.10", "1E2"],
    "integers": [3, -1, 10],
    "long integers": [LONG, LONG + 1, LONG + 2],
    "integers of 64 bits": [2**64 - 1, 2**63 + 1],
    "integers of any length": [10**25, 10**25 + 1],
    "floats": [0.5, 1.5, -1e-7],
    "whole floats": [0.0, 1.0],
    "flags": [True, False],
    "days": [np.datetime64("2021-03-01"), np.datetime64("2022-05-06")],
    "moments": [np.datetime64("2021-03-01T10:30"), np.datetime64("2022-05-06T00:00")],
}


@pytest.mark.parametrize("declared", [False, True])
@pytest.mark.parametrize("name", KINDS)
def test_labels_of_a_frame_come_back(name: str, declared: bool) -> None:
    labels = pd.Series(spread(KINDS[name]))
    found, task = given_back(table(labels.astype("category") if declared else labels))
    assert found.tolist() == np.array(spread(KINDS[name])).astype(found.dtype).tolist()
    kind = np.array(KINDS[name]).dtype.kind
    assert found.dtype.kind == ("O" if name == "integers of any length" else kind)
    assert [type(label) for label in task.labels[:1].tolist()] == [type(found.tolist()[0])]
    again = Task.from_dict({**vars(task), "classes": list(task.classes)})
    np.testing.assert_array_equal(again.labels, task.labels)


@pytest.mark.parametrize("name", ["integers", "long integers", "words", "flags", "whole floats"])
def test_labels_of_parquet_are_exact_beside_missing_cells(name: str, tmp_path: Path) -> None:
    labels = spread(KINDS[name])
    labels[3] = None
    columns = {"x": np.arange(N) % 11, "y": pa.array(labels), "group": pa.array(labels)}
    parquet.write_table(pa.table(columns), tmp_path / "rows.parquet")
    found, _ = given_back(str(tmp_path / "rows.parquet"))
    kept = np.arange(N) != 3
    assert found[kept].tolist() == [label for label in labels if label is not None]
    assert type(found[0].item()) is type(labels[0])


CELLS = {
    "digits that differ in writing": (["1.1", "1.10"], ["1.1", "1.10"]),
    "exponents": (["1E2", "1E3"], ["1E2", "1E3"]),
    "trailing zeros": (["0.50", "1.50"], ["0.50", "1.50"]),
    "floats": (["0.5", "1.5"], [0.5, 1.5]),
    "whole floats": (["0.0", "1.0"], [0.0, 1.0]),
    "floats with a bare point": (["0.", "1."], [0.0, 1.0]),
    "integers": (["0", "1"], [0, 1]),
    "integers and an empty cell": (["0", "1", ""], [0, 1, None]),
    "long integers": ([str(LONG), str(LONG + 1), ""], [LONG, LONG + 1, None]),
    "integers of any length": ([str(10**25), str(10**25 + 1)], [10**25, 10**25 + 1]),
    "codes": (["01", "1"], ["01", "1"]),
    "days": (["2021-03-01", "2022-05-06"], ["2021-03-01", "2022-05-06"]),
    "words": (["a", "b"], ["a", "b"]),
    "flags": (["true", "false"], ["true", "false"]),
    "flags in capitals": (["TRUE", "FALSE", ""], ["TRUE", "FALSE", None]),
    "flags in several spellings": (["true", "FALSE", "True"], [True, False, True]),
}


@pytest.mark.parametrize("name", CELLS)
def test_labels_of_a_file_come_back(name: str, tmp_path: Path) -> None:
    cells, labels = CELLS[name]
    table(spread(cells)).to_csv(tmp_path / "rows.csv", index=False)
    found, _ = given_back(str(tmp_path / "rows.csv"))
    wanted = spread(labels)
    kept = np.array([label is not None for label in wanted])
    assert found[kept].tolist() == [label for label in wanted if label is not None]
    assert {type(one) for one in found[kept].tolist()} == {type(labels[0])}


LABELS: dict[str, st.SearchStrategy[Any]] = {
    "integers": st.integers(-(2**63), 2**63 - 1),
    "floats": st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
    "text": st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1),
    "days": st.dates(datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)).map(np.datetime64),
}


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(sorted(LABELS)))
def test_any_labels_come_back(data: st.DataObject, kind: str) -> None:
    labels = data.draw(st.lists(LABELS[kind], min_size=2, max_size=4, unique=True))
    if kind == "text" and len({one for one in labels if one.strip()}) < 2:
        labels += ["a", "b"]
    frame = table(np.array(spread(labels)))
    found, _ = given_back(frame)
    kept = np.array([kind != "text" or bool(str(one).strip()) for one in frame["y"]])
    np.testing.assert_array_equal(found[kept], frame["y"].to_numpy()[kept].astype(found.dtype))
    if kind == "days":
        return
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(f"{folder}/rows.parquet")
        found, _ = given_back(f"{folder}/rows.parquet")
    np.testing.assert_array_equal(found[kept], frame["y"].to_numpy()[kept].astype(found.dtype))


@pytest.mark.parametrize("ending", ["frame", "csv", "parquet"])
def test_long_keys_of_groups_are_told_apart(ending: str, tmp_path: Path) -> None:
    keys = pd.array([LONG + k // 2 if k != 7 else None for k in range(N)], dtype="Int64")
    frame = table(spread(["a", "b"])).assign(key=keys)
    source: Any = frame
    if ending != "frame":
        source = str(tmp_path / f"rows.{ending}")
        getattr(frame, f"to_{ending}")(source, index=False)
    codes, names, alone = group_codes(load_sources(source, OPTIONS).main.table, "key")
    assert alone == 1
    assert len(set(codes[np.arange(N) != 7])) == N // 2
    assert names[:2] == [str(LONG), str(LONG + 1)]


def test_the_positive_label_may_be_written_in_another_way() -> None:
    for labels, positive in ((spread([0.0, 1.0]), "0.0"), (spread([" no", " yes"]), "no")):
        _, task = given_back(table(labels), DataOptions(target="y", positive=positive))
        assert task.positive == labels[0]
    _, task = given_back(table(spread([" Yes", " No"])))
    assert task.positive == " Yes"


@pytest.mark.parametrize("cells", [["TRUE", "FALSE"], [True, False], ["true", "FALSE"]])
def test_flags_are_labels_however_they_are_spelt(cells: list[Any], tmp_path: Path) -> None:
    table(spread(["true", "false"])).to_csv(tmp_path / "rows.csv", index=False)
    _, task = given_back(str(tmp_path / "rows.csv"), DataOptions(target="y", positive="False"))
    assert task.positive == "false"
    table(spread(cells)).to_csv(tmp_path / "other.csv", index=False)
    for source in (str(tmp_path / "other.csv"), table(spread(cells))):
        labels = load_sources(source, OPTIONS).main.labels
        codes = labels.codes([str(label) for label in task.classes])
        assert task.labels[codes].tolist() == spread(["true", "false"])
    for names in ([True, False], ["TRUE", "false"]):
        weights = check_weights(dict(zip(names, (2.0, 3.0), strict=True)))
        assert ordered_weights(weights, task) == [2.0, 3.0]


def test_classes_of_a_file_of_weights_or_costs_are_read_as_labels(tmp_path: Path) -> None:
    names = ["1.1", "1.10", "2.0"]
    table(spread(names)).to_csv(tmp_path / "rows.csv", index=False)
    _, task = given_back(str(tmp_path / "rows.csv"))
    assert task.classes == tuple(names)
    file = tmp_path / "weights.csv"
    file.write_text("class,weight\n2.0,3\n1.10,2\n1.1,1\n")
    assert ordered_weights(check_weights(file), task) == [1.0, 2.0, 3.0]
    file.write_text("true,1.1,1.10,2.0\n1.1,0,1,2\n1.10,3,0,4\n2.0,5,6,0\n")
    assert ordered_costs(check_costs(file), task) == [[0, 1, 2], [3, 0, 4], [5, 6, 0]]


def test_a_file_is_labelled_by_the_classes_of_a_frame_with_blanks(tmp_path: Path) -> None:
    _, task = given_back(table(spread([" >50K", " <=50K"])))
    table(spread([">50K", "<=50K"])).to_csv(tmp_path / "rows.csv", index=False)
    labels = load_sources(str(tmp_path / "rows.csv"), OPTIONS).main.labels
    codes = labels.codes([str(label) for label in task.classes])
    assert (codes >= 0).all()
    assert task.labels[codes].tolist() == spread([" >50K", " <=50K"])
