"""Laws of training on every device: those of a GPU run where there is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autoloss.bench.problem import make_setting, plain_network
from autoloss.core.settings import NetworkConfig
from autoloss.models.layers import LEVELS
from autoloss.training import Candidate, Job, Orders, RowAdamW, train
from autoloss.training.pool import step_batch
from autoloss.training.together import passing_population
from benchmarks import gpu
from tests.spaces import SMALL
from tests.training.conftest import make_job

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@pytest.mark.parametrize("device", DEVICES)
def test_the_optimiser_of_rows_of_several_ages_is_that_of_torch(device: str) -> None:
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(3, 1001, generator=draw)
    lr = torch.tensor([1e-3, 1e-2, 0.1], dtype=torch.float64)
    gradients = torch.randn(5, 3, 1001, generator=draw).to(device)
    rows = RowAdamW(start[:1].clone().to(device), lr=lr[:1], weight_decay=lr[:1])
    rows.gradients.copy_(gradients[0, :1])
    rows.step(0.5)
    rows = rows.joined(RowAdamW(start[1:].clone().to(device), lr=lr[1:], weight_decay=lr[1:]))
    for step in range(1, 5):
        rows.gradients.copy_(gradients[step])
        rows.step(torch.full((3,), 0.5, device=device))
    for row, first in enumerate([0, 1, 1]):
        weights = start[row].clone().to(device).requires_grad_()
        adam = torch.optim.AdamW([weights], lr=0.5 * float(lr[row]), weight_decay=float(lr[row]))
        for step in range(first, 5):
            weights.grad = gradients[step, row].clone()
            adam.step()
        torch.testing.assert_close(rows.rows[row], weights.detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_levels_of_dropout_are_even_and_follow_the_seed(device: str) -> None:
    levels = Orders([3], 512, 256, device=torch.device(device)).levels(2, 129)
    assert (levels.dtype, levels.shape) == (torch.int16, (2, 1, 256, 129))
    assert int(levels.min()) >= 0
    assert float(levels.float().mean()) == pytest.approx(LEVELS / 2, rel=0.02)
    same, other = (Orders([s], 512, 256, device=torch.device(device)) for s in (3, 4))
    assert same.levels(2, 129).equal(levels)
    assert not other.levels(2, 129).equal(levels)


@pytest.mark.parametrize("device", DEVICES)
def test_a_candidate_is_what_it_is_alone(job: Job, mixed: list[Candidate], device: str) -> None:
    there = make_job(job.train.part, job.valid.part, device)
    together = train(there, mixed)
    for candidate, outcome in zip(mixed, together, strict=True):
        (alone,) = train(there, [candidate])
        assert alone.report.best_epoch == outcome.report.best_epoch
        torch.testing.assert_close(alone.weights, outcome.weights, rtol=0, atol=1e-9)


@pytest.mark.parametrize("network", [plain_network(16), NetworkConfig()], ids=["plain", "default"])
@pytest.mark.parametrize("device", DEVICES)
def test_a_device_learns_what_the_cpu_learns_in_float32(
    device: str, network: NetworkConfig
) -> None:
    losses = []
    for place in ("cpu", device):
        setting = make_setting(
            together=3, network=network, rows=2048, epochs=3, device=torch.device(place)
        )
        job = replace(setting.job, config=replace(setting.job.config, precision="float32"))
        calm = [replace(candidate, dropout=0.0) for candidate in setting.candidates]
        losses.append([one.report.curve[-1].refined_log_loss for one in train(job, calm)])
    assert losses[1] == pytest.approx(losses[0], abs=2e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_a_captured_step_moves_the_weights_as_the_step_does(device: str) -> None:
    def trained(*, is_captured: bool) -> torch.Tensor:
        setting = make_setting(
            together=3, network=plain_network(16), rows=512, epochs=1, device=torch.device(device)
        )
        population, orders = passing_population([setting.job], 3)
        rows = orders.epoch()[0].clone()

        def step() -> None:
            population.step(step_batch([setting.job], orders, rows), orders, 1.0)

        run = step
        if is_captured:
            noise = [draws.noise for draws in orders._draws.values()]
            run = gpu.captured(step, setting.job.device, generators=noise)
        elif device != "cpu":
            # The capture has warmed up with three steps.
            for _ in range(3):
                step()
        for _ in range(5):
            run()
        return population.rows.clone()

    torch.testing.assert_close(
        trained(is_captured=True), trained(is_captured=False), rtol=0, atol=1e-5
    )


@pytest.mark.gpu
def test_a_search_trains_on_the_gpu(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    pytest.importorskip("sklearn")
    from autoloss import api

    space = tmp_path / "space.toml"
    space.write_text(SMALL, encoding="utf-8")
    result = api.search(
        "sklearn:iris", space=space, trials=6, device="cuda", track="off", out=tmp_path
    )
    assert result.verdict.decision in {"better", "no_evidence", "worse", "undecided"}
    assert result.trials["refined_log_loss"].notna().all()
