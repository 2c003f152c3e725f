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
from autoloss.losses import LossSpec
from autoloss.models import TableNetwork
from autoloss.training import Candidate, Job, train
from autoloss.training.rows import EncodedRows
from benchmarks import network
from benchmarks.network_variants import Variant, VariedNetwork, varied
from benchmarks.ship import Set
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
    with varied(network.VARIANTS[name]):
        job = job_of(network.VARIANTS[name])
        together = train(job, candidates)
        for candidate, outcome in zip(candidates, together, strict=True):
            assert_same(outcome, train(job, [candidate])[0])


@pytest.mark.parametrize(
    "name", [name for name, one in network.VARIANTS.items() if one.parts or one.course]
)
def test_a_variant_changes_the_training(name: str) -> None:
    variant = network.VARIANTS[name]
    plain = network.VARIANTS["default"]
    if (variant.parts, variant.course.schedule) == (plain.parts, plain.course.schedule):
        if variant.course.rows_of_a_bin != plain.course.rows_of_a_bin:
            pytest.skip("The bins are made with the data.")
        if variant.course == plain.course:
            pytest.skip("A setting of the package.")
    candidate = Candidate(LossSpec(), lr=3e-3, dropout=0.2)
    with varied(variant):
        (found,) = train(job_of(variant), [candidate])
    with varied(plain):
        (other,) = train(job_of(plain), [candidate])
    assert not torch.allclose(found.logits, other.logits, atol=1e-6)


def test_a_line_is_made_once_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(draw.normal(size=(400, 3)), columns=list("abc"))
    frame["y"] = np.where(frame["a"] + 0.5 * draw.normal(size=400) > 0, "yes", "no")
    (tmp_path / "drawn").mkdir()
    frame.to_parquet(tmp_path / "drawn" / "drawn.parquet")
    short = replace(network.VARIANTS["default"].training, max_epochs=2)
    few = {
        name: replace(network.VARIANTS[name], training=short) for name in ("default", "width_128")
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
