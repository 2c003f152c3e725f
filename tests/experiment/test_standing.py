"""The progress of a search: its rate is that of this process."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from autoloss.experiment.standing import Standing
from autoloss.records import Update


def test_the_rate_of_a_resumed_search_leaves_out_the_trials_from_before() -> None:
    shown: list[Update] = []
    clock = SimpleNamespace(elapsed=0.0)
    standing = Standing(
        SimpleNamespace(updated=shown.append),  # type: ignore[arg-type]
        SimpleNamespace(clock=clock, left=20.0),  # type: ignore[arg-type]
        budget=64,
        metric="error",
    )
    for clock.elapsed, standing.tally.count in ((0.0, 36), (8.0, 36), (10.0, 52)):
        standing.show(0.5)
    assert [one.done for one in shown] == [36, 36, 52]
    assert [one.rate for one in shown] == pytest.approx([0.0, 0.0, 1.6])
