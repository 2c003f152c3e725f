from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts
from autoloss.readout import Items
from autoloss.search.examples import ExampleFiles
from autoloss.verdict.select import ExampleLosses


@given(st.integers(1, 70), st.integers(0, 2**31))
def test_rows_come_back_as_they_were_kept(tmp_path_factory, n_rows, seed):
    rng = np.random.default_rng(seed)
    losses = ExampleLosses(
        log_loss=rng.exponential(size=n_rows).astype(np.float32),
        wrong=rng.random(n_rows) < 0.3,
        metric_without=rng.random(5),
    )
    files = ExampleFiles(tmp_path_factory.mktemp("study"))
    files.save(7, losses)
    loaded = files.load([6, 7])
    assert list(loaded) == [7]
    np.testing.assert_allclose(loaded[7].log_loss, losses.log_loss, rtol=1e-3, atol=1e-7)
    np.testing.assert_array_equal(loaded[7].wrong, losses.wrong)
    np.testing.assert_array_equal(loaded[7].metric_without, losses.metric_without)


def test_a_file_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    files = ExampleFiles(tmp_path)
    losses = ExampleLosses(np.zeros(3, np.float32), np.zeros(3, bool))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match="No space left on device"):
        files.save(0, losses)
    assert files.load([0]) == {}
    assert not list(files.folder.iterdir())


def test_targets_come_back(tmp_path):
    files = ExampleFiles(tmp_path)
    assert files.load_targets() is None
    files.save_targets(Items.of(torch.tensor([2, 0, 1]), ClassFacts(torch.ones(3))))
    np.testing.assert_array_equal(files.load_targets(), [2, 0, 1])
