from __future__ import annotations

from argparse import Namespace

import pandas as pd

from autoloss.bench.problem import make_rows
from benchmarks import precision


def test_the_same_trials_are_trained_in_both_precisions() -> None:
    numbers, targets = make_rows(2_000, 0)
    frame = pd.DataFrame(numbers[:, :6].numpy(), columns=list("abcdef")).assign(y=targets.numpy())
    found = precision.compare(frame, "y", Namespace(trials=6, space="quick", device="cpu"))
    assert found["trials"] > 2
    mean, low, high = found["change"]
    assert low <= mean <= high
    assert abs(mean) < 0.05
