"""The ablation of the default network: its variants train like the network itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.settings import NetworkConfig
from autoloss.data import TableEncoding
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.training import Candidate, Job, train
from autoloss.training.rows import EncodedRows
from benchmarks import network
from benchmarks.network_variants import Variant, VariedNetwork, varied
from benchmarks.ship_studies import Set
from tests.training.conftest import N_CLASSES, make_job, make_part, make_schema
from tests.training.test_loop import assert_same

SMALL = NetworkConfig(width=16, bins=4)


def job_of(variant: Variant) -> Job:
    """Return a small job of a variant, whose parts must be in place."""
    own = variant.network
    bins = 0 if own.bins == 0 else SMALL.bins
    settings = replace(SMALL, bins=bins, depth=own.depth, normalise=own.normalise)
    job = make_job(make_part(300, 1), make_part(100, 2))
    built = VariedNetwork(make_schema(), N_CLASSES, settings)
    return replace(
        job,
        network=built,
        train=EncodedRows(built, job.train.part),
        valid=EncodedRows(built, job.valid.part),
        config=replace(job.config, max_epochs=4, decay=variant.training.decay),
    )


def test_the_default_variant_is_the_default_network() -> None:
    plain = make_job(make_part(300, 1), make_part(100, 2))
    candidate = Candidate(LossSpec(), lr=3e-3, dropout=0.2)
    with varied(network.VARIANTS["default"]):
        job = job_of(network.VARIANTS["default"])
        (found,) = train(job, [candidate])
    built = TableNetwork(make_schema(), N_CLASSES, SMALL)
    assert built.layout == job.network.layout
    same = replace(plain, network=built, config=job.config)
    assert_same(found, train(same, [candidate])[0])


@pytest.mark.parametrize("name", network.VARIANTS)
def test_a_variant_trains_together_as_alone(name: str) -> None:
    candidates = [
        Candidate(LossSpec(), lr=0.03 if k == 0 else 2e-3 * k, dropout=0.1 + 0.1 * k, seed=k % 2)
        for k in range(3)
    ]
    # The others train on without it.
    candidates[0] = replace(candidates[0], epochs=2)
    with varied(network.VARIANTS[name]):
        job = job_of(network.VARIANTS[name])
        together = train(job, candidates)
        for candidate, outcome in zip(candidates, together, strict=True):
            assert_same(outcome, train(job, [candidate])[0])


def changes_a_step(variant: Variant) -> bool:
    """Return whether a variant is more than another size, number of epochs or number of bins."""
    before = network.VARIANTS[network.BASE]
    sizes = {
        "rows_of_a_bin": before.course.rows_of_a_bin,
        "rows_of_any_bin": before.course.rows_of_any_bin,
    }
    return variant.parts != before.parts or replace(variant.course, **sizes) != before.course


@pytest.mark.parametrize("name", [n for n, one in network.VARIANTS.items() if changes_a_step(one)])
def test_a_variant_changes_the_training(name: str) -> None:
    candidate = Candidate(LossSpec(), lr=3e-3, dropout=0.2)
    logits = []
    for variant in (network.VARIANTS[name], network.VARIANTS[network.BASE]):
        with varied(variant):
            (found,) = train(job_of(variant), [candidate])
        logits.append(found.logits)
    assert not torch.allclose(*logits, atol=1e-6)


def test_bins_follow_rows_and_columns() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(1_000, 10))).rename(columns=str)
    bins = {}
    for name in ("any_all", "default", "any_10", "any_40"):
        with varied(network.VARIANTS[name]):
            bins[name] = TableEncoding.fit(frame, bins=48).schema.edges.shape[1] - 1
    assert bins == {"any_all": 8, "default": 5, "any_10": 8, "any_40": 2}


def test_a_line_is_made_once_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(400, 3)), columns=list("abc"))
    frame["y"] = np.where(frame["a"] + 0.5 * draw.normal(size=400) > 0, "yes", "no")
    (tmp_path / "drawn").mkdir()
    frame.to_parquet(tmp_path / "drawn" / "drawn.parquet")
    short = replace(network.VARIANTS[network.BASE].training, max_epochs=2)
    few = {
        name: replace(network.VARIANTS[name], training=short)
        for name in (network.BASE, "width_128")
    }
    monkeypatch.setattr(network, "SETS", (Set("drawn", "y"),))
    monkeypatch.setattr(network, "VARIANTS", few)
    log = tmp_path / "log.jsonl"

    def make(limit: float) -> bool:
        return network.run(["drawn"], list(few), 1, tmp_path, log, limit)

    assert not make(0.0)
    assert make(60.0)
    made = log.read_text(encoding="utf-8")
    assert make(60.0)
    assert log.read_text(encoding="utf-8") == made
    lines = network.read(log)
    assert [line["variant"] for line in lines] == list(few)
    assert 0.1 < lines[0]["shipped"] < 0.7
    page = network.markdown(lines)
    assert "+0.0" in page
    assert json.loads(made.splitlines()[0])["train"] == 180
