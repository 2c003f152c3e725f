from __future__ import annotations

import pytest
import torch

from autoloss.training import RowAdamW
from autoloss.training import optimiser as module
from tests.training.pooled import Pooled

LR = torch.tensor([1e-3, 1e-2, 0.3], dtype=torch.float64)
WEIGHT_DECAY = torch.tensor([0.0, 0.1, 1.0], dtype=torch.float64)


@pytest.fixture(autouse=True, params=[1, 1 << 20], ids=["row by row", "blocks"])
def _long(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step rows of 7 numbers as long rows too."""
    monkeypatch.setattr(module, "_LONG", request.param)


def gradients(step: int) -> torch.Tensor:
    return torch.randn(3, 7, generator=torch.Generator().manual_seed(step), dtype=torch.float64)


def by_torch(row: int, factors: list[float]) -> torch.Tensor:
    """The oracle: torch's AdamW on one row alone."""
    weights = torch.linspace(-1, 1, 7, dtype=torch.float64).requires_grad_()
    adam = torch.optim.AdamW([weights], lr=float(LR[row]), weight_decay=float(WEIGHT_DECAY[row]))
    for step, factor in enumerate(factors):
        adam.param_groups[0]["lr"] = float(LR[row]) * factor
        weights.grad = gradients(step)[row].clone()
        adam.step()
    return weights.detach()


def rows() -> torch.Tensor:
    return torch.linspace(-1, 1, 7, dtype=torch.float64).repeat(3, 1)


def test_every_row_moves_as_by_torch_with_its_own_settings() -> None:
    factors = [0.1, 1.0, 1.0, 0.5, 0.0]
    optimiser = RowAdamW(rows(), lr=LR, weight_decay=WEIGHT_DECAY)
    for step, factor in enumerate(factors):
        optimiser.gradients.copy_(gradients(step))
        optimiser.step(factor)
    for row in range(3):
        torch.testing.assert_close(optimiser.rows[row], by_torch(row, factors), rtol=0, atol=1e-12)


def test_rows_that_are_kept_go_on_as_if_nothing_had_happened() -> None:
    optimiser = RowAdamW(rows(), lr=LR, weight_decay=WEIGHT_DECAY)
    kept = [2, 0]
    for step in range(6):
        if step == 3:
            optimiser = optimiser.keep(kept)
        optimiser.gradients.copy_(gradients(step) if step < 3 else gradients(step)[kept])
        optimiser.step(1.0)
    for place, row in enumerate(kept):
        expected = by_torch(row, [1.0] * 6)
        torch.testing.assert_close(optimiser.rows[place], expected, rtol=0, atol=1e-12)


def test_rows_may_be_dropped_before_the_first_step() -> None:
    optimiser = RowAdamW(rows(), lr=LR, weight_decay=WEIGHT_DECAY).keep([1])
    optimiser.gradients.copy_(gradients(0)[[1]])
    optimiser.step(1.0)
    torch.testing.assert_close(optimiser.rows[0], by_torch(1, [1.0]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cached", [1, 14, 1 << 20])
def test_rows_of_any_age_move_as_by_torch_however_many_are_stepped_at_a_time(
    cached: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CACHED", cached)
    old = RowAdamW(rows()[:1], lr=LR[:1], weight_decay=WEIGHT_DECAY[:1])
    for step in range(2):
        old.gradients.copy_(gradients(step)[:1])
        old.step(1.0)
    both = old.joined(RowAdamW(rows()[1:], lr=LR[1:], weight_decay=WEIGHT_DECAY[1:]))
    for step in range(3):
        both.gradients.copy_(gradients(step))
        both.gradients[0] = gradients(step + 2)[0]
        both.step(1.0)
    for row, steps in enumerate([5, 3, 3]):
        expected = by_torch(row, [1.0] * steps)
        torch.testing.assert_close(both.rows[row], expected, rtol=0, atol=1e-12)


def test_a_row_that_has_diverged_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CACHED", 1)
    optimiser = RowAdamW(rows(), lr=LR, weight_decay=WEIGHT_DECAY)
    for step in range(2):
        optimiser.gradients.copy_(gradients(step))
        optimiser.gradients[0] = torch.nan
        optimiser.step(1.0)
    assert optimiser.rows[0].isnan().all()
    for row in (1, 2):
        expected = by_torch(row, [1.0] * 2)
        torch.testing.assert_close(optimiser.rows[row], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("pool", [range(0), range(3, 12)])
def test_a_row_is_rounded_alike_in_any_place(pool: range) -> None:
    n_weights, n_steps = 13, 500

    def stepped(kept: list[int]) -> torch.Tensor:
        draw = torch.Generator().manual_seed(0)
        weights = torch.randn(9, n_weights, generator=draw)
        optimiser = RowAdamW(
            weights[kept],
            lr=torch.logspace(-3, -2, 9)[kept],
            weight_decay=torch.zeros(len(kept)),
            pool=pool,
        )
        for _ in range(n_steps):
            optimiser.gradients.copy_(torch.randn(9, n_weights, generator=draw)[kept])
            optimiser.step(1.0)
        return optimiser.rows

    together = stepped(list(range(9)))
    for kept in ([0], [8], [2, 3, 4], [1, 2, 3, 4, 5, 6, 7], [8, 7, 6, 5, 4]):
        assert stepped(kept).equal(together[kept])


@pytest.mark.parametrize("pool", [range(0, 4), range(2, 7), range(1, 3), range(0, 7)])
def test_weights_of_a_pool_share_their_second_moment(pool: range) -> None:
    optimiser = RowAdamW(rows(), lr=LR, weight_decay=WEIGHT_DECAY, pool=pool)
    for step in range(3):
        optimiser.gradients.copy_(gradients(step))
        optimiser.step(1.0)
    optimiser = optimiser.keep([2, 1])
    for step in range(3, 6):
        optimiser.gradients.copy_(gradients(step)[[2, 1]])
        optimiser.step(1.0)
    for place, row in enumerate([2, 1]):
        expected = rows()[row]
        oracle = Pooled(
            expected, lr=float(LR[row]), weight_decay=float(WEIGHT_DECAY[row]), pool=pool
        )
        for step in range(6):
            oracle.step(gradients(step)[row])
        torch.testing.assert_close(optimiser.rows[place], expected, rtol=0, atol=1e-12)
