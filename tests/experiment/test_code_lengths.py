"""A search that codes its training labels, for every kind of label."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import autoloss
from autoloss.experiment.code_lengths import with_training_code
from autoloss.records import CodeLengths, Summary
from tests.experiment.test_sequences import SPACE, sequences
from tests.spaces import SMALL


def search(out: Path, data: Any, target: Any, *, space: str = SMALL, **more: Any) -> Summary:
    path = out / "space.toml"
    path.write_text(space, encoding="utf-8")
    given: dict[str, Any] = {"trials": 4, "track": "off", "workers": 1, "ship": "verdict"}
    given["code_length"] = True
    return autoloss.search(data, target, space=path, out=out, **{**given, **more}).summary


def make_rows(n_rows: int = 320) -> pd.DataFrame:
    """Return rows of two classes that two columns mostly tell apart."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(n_rows, 3)), columns=list("abc"))
    score = frame["a"] - frame["b"] + 0.5 * draw.normal(size=n_rows)
    return frame.assign(y=np.where(score > 0.5, "yes", "no"))


def classes() -> dict[str, Any]:
    return {"data": make_rows(), "target": "y"}


def labels() -> dict[str, Any]:
    frame = make_rows()
    frame["loud"] = np.where(frame["a"] > 0, "yes", "no")
    # Every training row of the first blocks lacks it.
    frame["rare"] = np.where(np.arange(len(frame)) % 40 == 1, "yes", "no")
    frame.loc[::9, "loud"] = None
    return {"data": frame, "target": ["y", "loud", "rare"]}


def tags() -> dict[str, Any]:
    frame = sequences(n=240)
    # Forms that are frequent in some divisions alone: their networks have other shapes.
    for number, (words, tags) in enumerate(zip(frame["words"], frame["tags"], strict=True)):
        words.append("w" + chr(ord("a") + number % 50 % 10) + chr(ord("a") + number % 50 // 10))
        tags.append("O")
    return {"data": frame, "target": "tags", "tokens": "words", "space": SPACE, "drop": ["id"]}


@pytest.mark.parametrize("kind", [classes, labels, tags])
def test_the_bits_are_the_log_loss_and_the_blocks_add_up(kind, tmp_path: Path) -> None:
    summary = search(tmp_path, **kind())
    found = summary.code_lengths
    assert isinstance(found, CodeLengths)
    for role, bits in (("challenger", found.challenger), ("cross-entropy", found.baseline)):
        nats = summary.test_metrics[role]["log_loss"]
        assert bits == pytest.approx(nats / math.log(2), rel=1e-6)
    code = found.training
    assert code is not None, found.reason
    assert code.rows == summary.data.n_train + summary.data.n_valid
    assert sum(one.labels for one in code.blocks) == code.labels
    for values, total in (
        ([one.challenger for one in code.blocks], code.prequential[0]),
        ([one.baseline for one in code.blocks], code.prequential[1]),
        ([one.prior for one in code.blocks], code.prior),
    ):
        sizes = [one.labels for one in code.blocks]
        assert np.average(values, weights=sizes) == pytest.approx(total)
    # The labels can be learnt, and a network takes many bits.
    assert code.prequential[1] < code.prior
    assert min(code.two_part) > code.weights * math.log2(code.rows) / 2 / code.labels


def test_rows_that_know_nothing_are_not_compressed(tmp_path: Path) -> None:
    """A code that saw the labels of its own block would be shorter than their entropy."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 3)), columns=["a", "b", "c"])
    frame["y"] = random.choice(["no", "yes"], 300)
    code = search(tmp_path, frame, "y").code_lengths
    assert code is not None
    assert code.training is not None
    assert min(code.training.prequential) > 0.97


def test_a_teacher_and_a_time_that_is_up_are_named() -> None:
    found = CodeLengths(10, 1.0, 0.5, 0.5)
    for teacher, left, growing, reason in (
        (torch.zeros(2, 2), None, True, "teacher"),
        (None, 1.0, True, "time limit"),
        (None, 60.0, False, "time limit"),
    ):
        session: Any = SimpleNamespace(
            opened=SimpleNamespace(teacher=teacher),
            clock=SimpleNamespace(left=left),
            finals=SimpleNamespace(growing=growing),
        )
        code = with_training_code(found, session, None)  # type: ignore[arg-type]
        assert reason in code.reason
        assert code.training is None


def test_too_few_rows_are_named(tmp_path: Path) -> None:
    few = search(tmp_path, make_rows(80), "y", name="few").code_lengths
    assert few is not None
    assert few.training is None
    assert "too few" in few.reason


def test_it_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    summary = search(tmp_path, **classes(), name="off", code_length=False)
    assert summary.code_lengths is not None
    assert summary.code_lengths.training is None
    assert summary.code_lengths.reason == ""
