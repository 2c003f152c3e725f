"""The live view of a search knows the direction of its metric."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from autoloss.metrics import METRIC_NAMES, resolve_metric
from autoloss.tracking.conclusion import view_of


def lower(**description: str) -> bool:
    runs: Any = SimpleNamespace(name="mine", parent=lambda: "parent")
    return view_of(runs, description).lower_is_better


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_a_known_metric_has_its_own_direction(name: str) -> None:
    assert lower(metric=name) == resolve_metric(name).lower_is_better


def test_the_direction_of_the_request_counts_first() -> None:
    assert lower(metric="mine", lower_is_better="true")
    assert not lower(metric="mine", lower_is_better="false")
