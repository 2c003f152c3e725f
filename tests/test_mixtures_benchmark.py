"""The benchmark of mixtures at fixed settings: its tables have a line for each loss."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import mixtures


def test_a_table_has_a_line_for_each_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(240, 2))
    labels = np.where(x[:, 0] + draw.normal(size=240) > 0, "g", "h")
    (tmp_path / "magic_gamma").mkdir()
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "class": labels})
    frame.to_parquet(tmp_path / "magic_gamma" / "magic_gamma.parquet")
    argv = ["mixtures", "magic_gamma", "--data", str(tmp_path), "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", argv)
    mixtures.main()
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith(("| hard", "| mixup"))]
    assert [row[0] for row in rows[:3]] == ["| hard labels", "| mixup 0.1", "| mixup 0.2"]
    assert [row[1] for row in rows].count("an example") == 2
    assert len(rows) == len(mixtures.LOSSES["magic_gamma"])
    for row in rows:
        raw, refined, calibration = map(float, row[3:6])
        assert raw - refined == pytest.approx(calibration, abs=2e-4)
    # Mixed examples train other networks than hard labels do.
    assert len({row[3] for row in rows}) > 4
