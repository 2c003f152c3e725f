from __future__ import annotations

import pytest
import torch

from autoloss.core.settings import NetworkConfig
from autoloss.models import TableNetwork
from autoloss.training import Batch, EncodedRows, Orders, batch_size_for, rows
from autoloss.training.batch import item_mean
from autoloss.training.optimiser import lr_factor
from tests.training.conftest import N_CLASSES, make_part, make_schema

CPU = torch.device("cpu")


def make_rows(n_rows: int) -> EncodedRows:
    network = TableNetwork(make_schema(), N_CLASSES, NetworkConfig(width=8, bins=4))
    return EncodedRows(network, make_part(n_rows, 0))


def test_every_row_is_read_once_an_epoch() -> None:
    orders = Orders([0, 0, 1], 96, 32, device=CPU)
    for _ in range(3):
        drawn = orders.epoch()
        assert drawn.shape == (3, 2, 32)
        for order in range(2):
            assert drawn[:, order].flatten().sort().values.tolist() == list(range(96))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    orders = Orders([0, 1], 96, 32, device=CPU)
    first, second = orders.epoch(), orders.epoch()
    assert not torch.equal(first, second)
    assert not torch.equal(first[:, 0], first[:, 1])


def test_an_order_depends_on_its_seed_alone() -> None:
    together, alone = Orders([3, 4], 96, 32, device=CPU), Orders([4], 96, 32, device=CPU)
    assert torch.equal(together.epoch()[:, 1], alone.epoch()[:, 0])
    both, one = together.levels(2, 8), alone.levels(2, 8)
    assert both.shape == (2, 2, 32, 8)
    assert torch.equal(both[:, 1], one[:, 0])


def test_candidates_of_one_seed_share_one_order() -> None:
    assert Orders([7, 7, 7], 96, 32, device=CPU).index([7, 7, 7]) is None
    index = Orders([7, 8, 7], 96, 32, device=CPU).index([8, 7])
    assert index is not None
    assert index.tolist() == [1, 0]


def test_small_data_gets_small_batches() -> None:
    assert batch_size_for(100_000, 256, least=32) == 256
    assert batch_size_for(1000, 256, least=32) == 32
    assert batch_size_for(20, 256, least=32) == 20
    assert batch_size_for(1000, 256, least=128) == 128
    assert batch_size_for(4096, 256, least=128) == 256
    assert 2000 // batch_size_for(2000, 256, least=32) >= 16


def test_mean_weighs_examples_and_leaves_masked_ones_out() -> None:
    part, encoded = make_part(4, 0), make_rows(4)
    batch = Batch(
        features=encoded.features(torch.arange(4).unsqueeze(0)),
        targets=part.targets.unsqueeze(0),
        weights=torch.tensor([[1.0, 3.0, 5.0, 1.0]]),
        mask=torch.tensor([[True, True, False, True]]),
    )
    values = torch.tensor([[1.0, 2.0, torch.nan, 4.0], [0.0, 1.0, torch.nan, 0.0]])
    means = item_mean(values, batch.item_weights(None))
    assert means.tolist() == pytest.approx([11 / 5, 3 / 5])


def test_the_plain_mean_is_the_mean() -> None:
    weights = make_rows(6).batch(torch.tensor([[0, 2, 4]])).item_weights(None)
    assert weights is None
    assert item_mean(torch.tensor([[1.0, 2.0, 6.0]]), weights).tolist() == pytest.approx([3.0])
    items = torch.arange(12.0).view(2, 2, 3)
    assert item_mean(items, None).tolist() == pytest.approx([2.5, 8.5])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("given", ["weights", "mask", "both", "each item's weights"])
def test_the_mean_over_items_is_that_of_one_item_after_the_other(given: str, shared: bool) -> None:
    n_orders, orders = (1, None) if shared else (2, torch.tensor([1, 0, 1]))
    draw = torch.Generator().manual_seed(0)
    weights = torch.rand(n_orders, 4, *[5] * (given == "each item's weights"), generator=draw)
    mask = torch.rand(n_orders, 4, 5, generator=draw) < 0.6
    values = torch.randn(3, 4, 5, generator=draw)
    batch = Batch(
        features=make_rows(4).features(torch.arange(4).unsqueeze(0)),
        targets=torch.zeros(n_orders, 4, 5, dtype=torch.int64),
        weights=None if given == "mask" else weights,
        mask=mask if given in ("mask", "both") else None,
    )
    found = item_mean(values, batch.item_weights(orders, item_axes=2))
    for k in range(3):
        order = 0 if orders is None else int(orders[k])
        total = share = 0.0
        for example in range(4):
            for item in range(5):
                weight = 1.0 if batch.weights is None else float(weights[order, example].max())
                if given == "each item's weights":
                    weight = float(weights[order, example, item])
                if batch.mask is not None:
                    weight *= float(mask[order, example, item])
                total += weight * float(values[k, example, item])
                share += weight
        assert found[k].item() == pytest.approx(total / share, rel=1e-5)


def test_a_mask_of_whole_examples_masks_their_items() -> None:
    batch = Batch(
        features=make_rows(2).features(torch.arange(2).unsqueeze(0)),
        targets=torch.zeros(1, 2, 3, dtype=torch.int64),
        mask=torch.tensor([[True, False]]),
    )
    values = torch.tensor([[[1.0, 2.0, 3.0], [torch.nan] * 3]])
    assert item_mean(values, batch.item_weights(None, item_axes=2)).tolist() == [2.0]


def test_a_batch_without_any_label_has_a_mean_of_zero() -> None:
    assert item_mean(torch.ones(2, 3), torch.zeros(1, 3)).tolist() == [0.0, 0.0]


def test_a_batch_knows_its_rows() -> None:
    numbers = torch.tensor([[3, 1], [0, 5]])
    found = make_rows(6).batch(numbers).rows
    assert found is not None
    assert torch.equal(found, numbers)


def test_partners_are_a_permutation_and_depend_on_their_seed_alone() -> None:
    together, alone = Orders([3, 4], 96, 32, device=CPU), Orders([4], 96, 32, device=CPU)
    seen = []
    for _ in range(3):
        partners, uniform = together.pairs()
        assert partners.sort(-1).values.tolist() == [list(range(32))] * 2
        assert uniform.shape == (2, 32)
        assert 0.0 <= uniform.min() < uniform.max() < 1.0
        own, numbers = alone.pairs()
        assert torch.equal(partners[1], own[0])
        assert (uniform[1] == numbers[0]).all()
        assert not torch.equal(partners[0], partners[1])
        seen.append(own)
    assert not torch.equal(seen[0], seen[1])


def test_drawing_partners_changes_nothing_else_that_is_drawn() -> None:
    plain, pairing = (Orders([5], 96, 32, device=CPU) for _ in range(2))
    pairing.pairs()
    assert torch.equal(plain.epoch(), pairing.epoch())
    pairing.pairs()
    assert torch.equal(plain.levels(1, 4), pairing.levels(1, 4))


def test_levels_are_evenly_spread_over_15_bits() -> None:
    levels = Orders([5], 512, 256, device=CPU).levels(3, 129)
    assert levels.dtype == torch.int16
    assert 0 <= levels.min() < 32
    assert 32_735 < levels.max() <= 32_767
    # By place among the four levels of a draw.
    for place in range(4):
        counts = levels.flatten()[place::4].long().bitwise_right_shift(11).bincount()
        shares = counts.double() / counts.sum()
        torch.testing.assert_close(shares, torch.full_like(shares, 1 / 16), rtol=0.15, atol=0)


def test_the_rate_rises_stays_and_falls() -> None:
    factors = [lr_factor(step, 100, warmup=0.1, decay=0.4) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:60] == [1.0] * 51
    assert factors[80] == pytest.approx(0.5)
    assert factors[99] == pytest.approx(1 / 40)
    assert factors == sorted(factors[:30]) + sorted(factors[30:], reverse=True)


def test_rows_that_are_too_many_to_keep_are_encoded_batch_by_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = torch.tensor([[3, 1, 2], [0, 5, 5]])
    kept = make_rows(6).batch(numbers)
    monkeypatch.setattr(rows, "KEPT_BYTES", 0)
    made = make_rows(6).batch(numbers)
    assert torch.equal(kept.features["dense"], made.features["dense"])
    assert torch.equal(kept.features["codes"], made.features["codes"])
    assert torch.equal(kept.targets, made.targets)
