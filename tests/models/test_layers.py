from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from autoloss.models.layers import DropoutRates, dense, relu_dropout

K, B, D, H = 3, 5, 4, 6


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=draw, dtype=torch.float64, requires_grad=True)


def test_dense_is_a_linear_layer_a_candidate() -> None:
    x, weight, bias = normal(K, B, D), normal(K, H, D, seed=1), normal(K, H, seed=2)
    expected = torch.stack([functional.linear(x[k], weight[k], bias[k]) for k in range(K)])
    torch.testing.assert_close(dense(x, weight, bias), expected)
    assert torch.autograd.gradcheck(dense, (x, weight, bias))


def test_dense_takes_inputs_that_candidates_share() -> None:
    x, weight, bias = normal(1, B, D), normal(K, H, D, seed=1), normal(K, H, seed=2)
    copied = dense(x.expand(K, B, D).clone(), weight, bias)
    torch.testing.assert_close(dense(x.expand(K, B, D), weight, bias), copied)
    assert torch.autograd.gradcheck(lambda x: dense(x.expand(K, B, D), weight, bias), (x,))


def test_dense_names_the_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"got tuple\(x\.shape\)=\(3, 5, 4\)"):
        dense(normal(K, B, D), normal(K, H, D + 1), normal(K, H))


def test_dropout_keeps_what_lies_above_the_rate_and_says_its_scale() -> None:
    x = normal(K, B, H)
    uniform = torch.rand(B, H, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rates = DropoutRates(torch.tensor([0.0, 0.3, 0.6], dtype=torch.float64)[:, None, None])
    expected = torch.relu(x) * ((uniform > rates.rate) | (rates.rate == 0.0))
    assert torch.equal(relu_dropout(x.clone(), uniform, rates), expected)
    torch.testing.assert_close(rates.scale.flatten(), torch.tensor([1, 1 / 0.7, 2.5]).double())
    assert torch.autograd.gradcheck(lambda x: relu_dropout(x.clone(), uniform, rates), (x,))


def test_dropout_drops_the_same_in_lower_precision_however_near_a_draw_is_to_the_rate() -> None:
    rates = DropoutRates(torch.tensor([0.0, 0.1, 0.3])[:, None, None])
    near = torch.nextafter(rates.rate.flatten(), torch.ones(3))
    below = torch.nextafter(rates.rate.flatten(), torch.zeros(3))
    uniform = torch.cat([near, below, rates.rate.flatten(), torch.zeros(1)])[None]
    x = torch.ones(3, 1, 10)
    exact = relu_dropout(x.clone(), uniform, rates)
    assert torch.equal(exact > 0, (uniform > rates.rate) | (rates.rate == 0.0))
    assert torch.equal(relu_dropout(x.bfloat16(), uniform, rates).float(), exact)


def test_a_rate_of_zero_is_no_dropout_even_where_the_draw_is_zero() -> None:
    x = normal(K, B, H)
    zeros = torch.zeros(B, H, dtype=torch.float64)
    rates = DropoutRates(torch.zeros(K, 1, 1, dtype=torch.float64))
    assert torch.equal(relu_dropout(x.clone(), zeros, rates), torch.relu(x))
    assert torch.equal(relu_dropout(x.clone()), torch.relu(x))


def test_a_higher_rate_drops_a_superset() -> None:
    x = torch.ones(2, 50, 50)
    rates = DropoutRates(torch.tensor([0.2, 0.5])[:, None, None])
    kept = relu_dropout(x, torch.rand(50, 50), rates) > 0
    assert bool((kept[0] | ~kept[1]).all())
    assert kept[0].float().mean() > kept[1].float().mean()
