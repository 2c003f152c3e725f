"""A table of few rows, and the summary of its search as text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from autoloss.records import Summary
from autoloss.report import summary_json

N_ROWS = 150


def make_few_rows() -> pd.DataFrame:
    """Return rows of two classes, one of them rarer, that two columns mostly tell apart."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(N_ROWS, 4))
    score = values[:, 0] - values[:, 1] + 0.5 * draw.normal(size=N_ROWS)
    table = pd.DataFrame(values, columns=list("abcd"))
    return table.assign(y=np.where(score > 0.5, "yes", "no"))


def plain(summary: Summary) -> str:
    """Return a summary as text, without its name and the readings of clocks."""
    trials = tuple(replace(t, seconds=0.0, started=0.0, ended=0.0) for t in summary.trials)
    bare = replace(summary, name="", command="", created="", seconds={}, trials=trials)
    return summary_json(bare)
