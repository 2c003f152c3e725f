"""A verdict on a handful of groups decides nothing, however many rows they have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from tests.spaces import SMALL


@pytest.mark.parametrize(("n_groups", "few"), [(10, True), (60, False)])
def test_few_groups_decide_nothing(tmp_path: Path, n_groups: int, few: bool) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(480, 3)), columns=list("abc"))
    frame["y"] = np.where(frame["a"] + 0.5 * rng.normal(size=480) > 0, "yes", "no")
    frame["person"] = np.arange(480) % n_groups
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    result = autoloss.search(
        frame,
        "y",
        groups="person",
        lock=True,
        space=tmp_path / "small.toml",
        trials=18,
        out=tmp_path,
        track="off",
        workers=1,
    )
    verdict = result.verdict
    assert (verdict.decision == "undecided") == few
    reason = "the verdict is on 2 groups, and fewer than 6 groups cannot show a difference"
    assert verdict.reason == (reason if few else "")
    assert verdict.text.startswith("The verdict is on 2 groups") == few
    for one in verdict.comparisons:
        # The figures stay, with intervals that say nothing.
        assert not few or one.low <= 0.0 <= one.high
