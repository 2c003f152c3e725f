"""Small odd tables either become data that keeps its promises, or end in one line."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.core.settings import ProtocolConfig
from autoloss.data import DataOptions, Fold, StudyData, TableEncoding, prepare, read_table
from tests.faults.counts import times

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "floats": st.floats(allow_nan=True, allow_infinity=True),
    "integers": st.integers(-(2**70), 2**70),
    "small": st.integers(0, 3),
    "flags": st.sampled_from([True, False, None]),
    "words": st.sampled_from(["a", "b", "", " ", "NA", "1", "01", "1,5", None]),
    "text": st.text(max_size=12),
    "dates": st.dates(),
    "moments": st.datetimes(min_value=datetime.datetime(1900, 1, 1)),
    "strings of dates": st.dates().map(str),
    "mixed": st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=3), st.booleans()),
    "lists": st.lists(st.integers(), max_size=2),
    "nothing": st.none(),
}
NAMES = ["a", "b", "a", "split", "id", "y", "", "x y"]
TARGETS = {
    "two": st.sampled_from(["yes", "no"]),
    "three": st.sampled_from([1, 2, 3]),
    "flags": st.booleans(),
    "many": st.integers(0, 6),
    "words": st.sampled_from(["no", "maybe", "YES"]),
    "gaps": st.sampled_from(["p", "q", None, "", "r"]),
    "rare": st.sampled_from(["p"] * 6 + ["q"] * 5 + ["r"]),
    "floats": st.floats(),
    "same": st.just("x"),
    "mixed": CELLS["mixed"],
}
COVERED = ProtocolConfig(folds=3, outer_folds=2, outer_repeats=1)
NESTED = replace(COVERED, judge="nested")
LOCKED = ProtocolConfig(folds=2, outer_folds=0)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    n_rows = draw(st.sampled_from([1, 24, 40, 60, 80]))
    names = draw(st.lists(st.sampled_from(NAMES), max_size=5))
    columns = []
    for _ in names:
        cells = CELLS[draw(st.sampled_from(sorted(CELLS)))]
        # A few cells repeated: long columns of fresh draws would only be slow.
        few = draw(st.lists(cells, min_size=1, max_size=12))
        columns.append(pd.Series([few[i * 7 % len(few)] for i in range(n_rows)]))
    labels = TARGETS[draw(st.sampled_from(sorted(TARGETS)))]
    few = draw(st.lists(labels, min_size=4, max_size=25))
    columns.append(pd.Series([few[i % len(few)] for i in range(n_rows)]))
    frame = pd.concat(columns, axis=1)
    frame.columns = pd.Index([*names, "target"])
    return frame


@pytest.mark.faults
@settings(
    max_examples=times(1_500, few=120),
    suppress_health_check=list(HealthCheck),
)
@given(
    frame=frames(),
    seed=st.integers(0, 3),
    by=st.sampled_from(["", "", "groups", "split_by", "drop"]),
    protocol=st.sampled_from([COVERED, NESTED, LOCKED]),
)
def test_odd_tables_work_or_end_in_one_line(
    frame: pd.DataFrame, seed: int, by: str, protocol: ProtocolConfig
) -> None:
    options = DataOptions(target="target", seed=seed)
    if by:
        options = replace(options, **{by: ("a",) if by == "drop" else str(frame.columns[0])})
    data, folds, message = None, [], ""
    try:
        data = prepare(frame, options, protocol=protocol)
        folds = [*data.folds, *data.replicates(2, seed=seed), *data.outer()]
    except InputError as error:
        message = str(error)
    if data is None or not folds:
        assert message.strip()
        assert len(message.splitlines()) == 1
        return
    for fold in folds:
        check(data, fold, frame, options)


def check(data: StudyData, fold: Fold, frame: pd.DataFrame, options: DataOptions) -> None:
    test = fold.test if data.locked is None else data.locked.open(fold.encoding)
    parts = [part for part in (fold.train, fold.valid, test) if part is not None]
    rows = [row for part in parts for row in part.rows.tolist()]
    assert len(rows) == len(set(rows))
    clusters = [set(part.clusters.tolist()) for part in parts]
    assert len(set().union(*clusters)) == sum(map(len, clusters))
    if options.groups is None and options.split_by is None and "split" not in frame.columns:
        present = frame["target"].map(lambda cell: not pd.isna(cell) and str(cell).strip() != "")
        finite = frame["target"].map(lambda cell: str(cell) not in ("inf", "-inf"))
        assert set(rows) >= set(frame.index[present & finite])
    schema = fold.encoding.schema
    for part in parts:
        assert len(part) == len(part.targets) == len(part.rows) == len(part.clusters) > 0
        assert not torch.isinf(part.inputs.numeric).any()
        assert torch.isfinite(part.inputs.shares).all()
        assert (part.inputs.categories >= 0).all()
        assert (part.inputs.categories < torch.tensor(schema.cardinalities)).all()
        assert (part.targets >= 0).all()
        assert (part.targets < data.task.n_classes).all()
    assert (fold.class_counts > 0).all()
    assert torch.isfinite(schema.edges).all()
    state, tensors = fold.encoding.to_state()
    again = TableEncoding.from_state(json.loads(json.dumps(state)), tensors)
    train = fold.train
    encoded = again.transform(read_table(frame).iloc[train.rows.tolist()])
    assert torch.equal(encoded.categories, train.inputs.categories)
    assert torch.equal(encoded.numeric.nan_to_num(99.0), train.inputs.numeric.nan_to_num(99.0))
