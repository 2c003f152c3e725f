"""Tests for searches on fewer training rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.core.settings import ProtocolConfig
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.experiment.fewer_rows import LEAST, fitting_rows, rows_text
from autoloss.experiment.time_plan import Finals, Workload
from autoloss.search.space_reader import read_space
from tests.spaces import SETTINGS

PROTOCOL = ProtocolConfig(judge="locked", folds=1)
WORK = Workload(
    trials=64, epochs=40, finals=Finals(3, 3), divisions=1, outer_folds=0, together=32,
    once=0.0, each=1.0,
)  # fmt: skip


def many_rows(n: int = 3_000) -> pd.DataFrame:
    random = np.random.default_rng(3)
    x = random.normal(size=(n, 3))
    # The last class has twelve rows.
    y = (x[:, 0] + 0.3 * random.normal(size=n) > 0).astype(int)
    y[:12] = 2
    return pd.DataFrame(x, columns=list("abc")).assign(y=y)


def data_of(frame: pd.DataFrame) -> StudyData:
    return prepare(frame, DataOptions(target="y"), protocol=PROTOCOL)


def test_the_fewer_rows_are_drawn_by_class_and_are_the_same_for_a_seed() -> None:
    data = data_of(many_rows())
    [whole] = data.folds
    [fewer] = data.with_fewer_rows(data.folds, 500, seed=0)
    assert abs(len(fewer.train) - 500) <= 5
    assert set(fewer.train.rows.tolist()) < set(whole.train.rows.tolist())
    counts = np.bincount(fewer.train.targets.numpy(), minlength=3)
    np.testing.assert_array_equal(counts, fewer.class_counts.numpy())
    every = whole.class_counts.numpy()
    np.testing.assert_allclose(counts[:2] / 500, every[:2] / every.sum(), atol=0.01)
    # A share of the rare class would be less than a row.
    assert counts[2] == 5 < every[2]
    assert fewer.valid is whole.valid
    assert fewer.encoding is whole.encoding
    [again] = data.with_fewer_rows(data.folds, 500, seed=0)
    [other] = data.with_fewer_rows(data.folds, 500, seed=1)
    assert again.train.rows.tolist() == fewer.train.rows.tolist() != other.train.rows.tolist()
    assert data.with_fewer_rows(data.folds, 0, seed=0)[0] is whole
    assert data.with_fewer_rows(data.folds, 10**6, seed=0)[0] is whole
    assert rows_text(data, 0) == rows_text(data, 10**6) == ""


def test_a_time_limit_halves_the_rows_until_every_trial_fits() -> None:
    whole = WORK.whole().seconds
    assert fitting_rows(WORK, whole, 200_000) == 0
    # The best third of the trials going on after some epochs is tried first.
    assert fitting_rows(WORK, 0.5 * whole, 200_000) == 0
    found = [fitting_rows(WORK, share * whole, 200_000) for share in (0.3, 0.2, 0.1, 0.001)]
    assert found == sorted(found, reverse=True)
    assert set(found) <= {200_000 // 2**n for n in range(1, 6)}
    assert found[-1] >= LEAST > found[-1] // 2
    assert fitting_rows(WORK, 0.001 * whole, 40_000) == 0
    # The same work on half of the rows, whose finalists train on all rows.
    halved = replace(WORK, each=0.5, final_size=2.0, outer_size=2.0, refit_size=2.0)
    searching = halved.search_seconds(halved.trials, halved.epochs)
    assert halved.final_seconds(WORK.finals, 40) == WORK.final_seconds(WORK.finals, 40)
    assert searching == 0.5 * WORK.search_seconds(WORK.trials, WORK.epochs)


def test_a_search_on_fewer_rows_trains_its_finalists_on_all_and_says_so(tmp_path: Path) -> None:
    frame = many_rows(1_500)
    frame = frame[frame["y"] < 2]
    space = tmp_path / "tiny.toml"
    shares = {}
    for rows in (0, 200):
        protocol = f'folds = 1\nreplicates = 2\njudge = "locked"\nrows = {rows}'
        text = f'bases = ["cross_entropy", "focal"]{SETTINGS}\n[protocol]\n{protocol}\n'
        space.write_text(text, encoding="utf-8")
        found = autoloss.search(
            frame, target="y", space=space, trials=4, name=f"s{rows}", out=tmp_path,
            track="off", seed=1, refit=False,
        )  # fmt: skip
        shares[rows] = found.summary
    assert shares[0].trials[0].metrics != shares[200].trials[0].metrics
    # Replicates train on three quarters of the rows that are not locked, whatever the search did.
    assert shares[0].data.n_train == shares[200].data.n_train
    [said] = [note for note in shares[200].data.notes if "Candidates are compared on" in note]
    assert f"200 of {shares[0].data.n_train:,} training rows" in said
    assert not any("Candidates are compared on" in note for note in shares[0].data.notes)
    assert found.model is not None
    counts = found.model.members[0].class_counts
    assert float(counts.sum()) > 500


def test_rows_must_be_a_number_of_rows() -> None:
    for bad in ("some", 5, -1, True, False, 0.5):
        space = {"bases": ["cross_entropy"], "protocol.rows": bad}
        with pytest.raises(InputError, match=r'rows: must be "auto", 0 or a whole number'):
            read_space(space, name="any", label="any")
    for good in ("auto", 0, 100):
        space = {"bases": ["cross_entropy"], "protocol.rows": good}
        assert read_space(space, name="any", label="any").protocol.rows == good
