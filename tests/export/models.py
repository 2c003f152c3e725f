"""Classifiers with all kinds of columns, made without a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from autoloss.core.settings import NetworkConfig
from autoloss.core.task import Label, Task
from autoloss.data import TableEncoding
from autoloss.inference.classifier import Classifier, Decision
from autoloss.inference.member import Member
from autoloss.losses import LossSpec
from autoloss.models import InputShape, TableNetwork
from autoloss.readout import Readout

SMALL = NetworkConfig(width=16, depth=2, bins=4, embedding=3)


def make_frame(n: int = 240, *, seed: int = 0) -> pd.DataFrame:
    """Return numbers, words, flags, many levels and dates, with gaps in all of them."""
    chance = np.random.default_rng(seed)
    wide = [f"town {code:02d}" for code in range(20)]
    frame = pd.DataFrame(
        {
            "size": chance.normal(100.0, 15.0, n),
            "count": chance.poisson(2.0, n),
            "colour": chance.choice(["red", "green", "blue"], n),
            "town": chance.choice(wide, n),
            "member": chance.random(n) < 0.4,
            "since": pd.Timestamp("2020-01-31 06:00")
            + pd.to_timedelta(chance.integers(0, 900 * 24, n), unit="h"),
        }
    )
    frame["since"] = frame["since"].dt.strftime("%Y-%m-%d %H:%M:%S")
    frame["member"] = frame["member"].astype("boolean")
    frame["count"] = frame["count"].astype("float64")
    for number, name in enumerate(frame.columns):
        frame.loc[chance.random(n) < 0.04 * (number + 1), name] = None
    return frame


def make_classifier(
    frame: pd.DataFrame | None = None,
    *,
    classes: Sequence[Label] = ("no", "yes"),
    losses: Sequence[Mapping[str, Any]] = ({"base": "cross_entropy"},),
    sources: Sequence[str] = ("softmax",),
    decision: Decision = "error",
    cost_matrix: Any = None,
    config: NetworkConfig = SMALL,
    weights: Sequence[float] | None = None,
    temperature: float = 1.0,
    labels: Sequence[str] = (),
    of_labels: Sequence[float] = (),
    thresholds: Sequence[float] | None = None,
    labels_each: int = 0,
) -> Classifier:
    """Return a classifier with a member for each loss, each fitted to other rows.

    Of several labels, no training row has the last.
    """
    frame = make_frame() if frame is None else frame
    n_classes, members = len(labels or classes), []
    encodings = [
        TableEncoding.fit(frame.iloc[number :: 1 + number % 2], bins=4)
        for number in range(len(losses))
    ]
    networks = [TableNetwork(one.schema, n_classes, config) for one in encodings]
    shape = InputShape.covering([network.shape for network in networks])
    for number, (loss, source) in enumerate(zip(losses, sources, strict=True)):
        random = torch.Generator().manual_seed(number)
        values = networks[number].shaped(shape).initial(random)
        readout = Readout(
            source,
            1.3 + 0.2 * number,
            0.004,
            LossSpec.from_dict(loss),
            of_labels=tuple(of_labels),
        )
        counts = torch.arange(1, n_classes + 1) * 40 + number
        if labels:
            counts = torch.stack([counts.flip(0) + 60, counts], 1)
            counts[-1] = torch.tensor([200 + number, 0])
        weight = 1.0 if weights is None else weights[number]
        members.append(Member(encodings[number], values, readout, counts, weight))
    costs = None if cost_matrix is None else torch.tensor(cost_matrix, dtype=torch.float64)
    kind = "binary" if n_classes == 2 else "multiclass"
    task = Task(kind, tuple(classes), "churned")
    if labels:
        task = Task("multilabel", tuple(classes), "moods", names=tuple(labels))
    return Classifier(
        task,
        config,
        tuple(members),
        decision,
        cost_matrix=costs,
        temperature=temperature,
        thresholds=None if thresholds is None else torch.tensor(thresholds).double(),
        labels_each=labels_each,
    )
