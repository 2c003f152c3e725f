"""Models of the verdict and of the policies share the predictions of their members."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

import autoloss
from autoloss.experiment import confirmation
from autoloss.inference import classifier


def search(space: Path, folder: Path) -> autoloss.SearchResult:
    return autoloss.search(
        "sklearn:iris",
        lock=True,
        space=space,
        trials=8,
        ship="blend",
        refit=False,
        name="iris",
        out=folder,
        track="off",
    )


def test_each_member_predicts_the_locked_rows_once(
    space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: Counter[int] = Counter()
    kept: list[torch.Tensor] = []
    score = classifier.raw_scores

    def counted(network: Any, weights: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        kept.append(weights)
        scored[id(weights)] += 1
        return score(network, weights, *rest, **more)

    monkeypatch.setattr(classifier, "raw_scores", counted)
    result = search(space, tmp_path / "kept")
    assert len(scored) >= 4
    assert set(scored.values()) == {1}
    # Without room for them the predictions are computed again, and are the same.
    monkeypatch.setattr(confirmation, "KEPT_NUMBERS", 0)
    scored.clear()
    again = search(space, tmp_path / "computed")
    assert max(scored.values()) > 1
    assert again.summary.policies == result.summary.policies
    assert again.verdict.comparisons == result.verdict.comparisons
