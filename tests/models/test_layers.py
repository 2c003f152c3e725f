from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from autoloss.models.layers import LEVELS, DropoutRates, dense, relu_dropout

K, B, D, H = 3, 5, 4, 6
DTYPES = [torch.float64, torch.float32, torch.bfloat16]


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


def drawn_levels(*shape: int) -> torch.Tensor:
    return torch.randint(LEVELS, shape, generator=torch.Generator().manual_seed(1)).short()


def test_dropout_keeps_the_levels_from_the_rate_on_and_says_its_scale() -> None:
    x, levels = normal(K, B, H), drawn_levels(B, H)
    rates = DropoutRates(torch.tensor([0.0, 0.3, 0.6], dtype=torch.float64)[:, None, None])
    expected = torch.relu(x) * (levels / LEVELS > rates.rate)
    assert torch.equal(relu_dropout(x.clone(), levels, rates), expected)
    torch.testing.assert_close(rates.scale.flatten(), torch.tensor([1, 1 / 0.7, 2.5]).double())
    assert torch.autograd.gradcheck(lambda x: relu_dropout(x.clone(), levels, rates), (x,))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_rate_drops_its_share_of_the_levels_in_every_precision(dtype: torch.dtype) -> None:
    rates = torch.tensor([0.0, 0.1, 0.25, 0.999, 0.999999])[:, None, None]
    levels = torch.arange(LEVELS, dtype=torch.int16)[None]
    x = torch.ones(len(rates), 1, LEVELS, dtype=dtype)
    kept = relu_dropout(x, levels, DropoutRates(rates))
    assert kept.unique().tolist() == [0.0, 1.0]
    shares = (kept == 0.0).double().mean((1, 2))
    torch.testing.assert_close(shares, rates.flatten().double(), rtol=0, atol=1 / LEVELS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_number_survives_where_it_is_dropped_or_negative(dtype: torch.dtype) -> None:
    edges = torch.tensor([0.0, -0.0, 1e-38, -1e-38, 3e38, -3e38, torch.inf, -torch.inf, 1, -1])
    x = edges.to(dtype).expand(1, 2, -1)
    levels = torch.tensor([[0], [LEVELS - 1]], dtype=torch.int16).expand(2, len(edges))
    kept = relu_dropout(x.clone(), levels, DropoutRates(torch.full((1, 1, 1), 0.5)))
    assert torch.equal(kept[0, 0], torch.zeros(len(edges), dtype=dtype))
    assert torch.equal(kept[0, 1], torch.relu(x[0, 1]))
    assert not torch.signbit(kept).any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_pass_where_the_output_is_positive(dtype: torch.dtype) -> None:
    x = normal(K, B, H).detach().to(dtype).requires_grad_(True)
    rates = DropoutRates(torch.tensor([0.0, 0.3, 0.6])[:, None, None])
    kept = relu_dropout(x * 1.0, drawn_levels(B, H), rates)
    grad = normal(K, B, H, seed=3).detach().to(dtype)
    kept.backward(grad)
    assert x.grad is not None
    assert torch.equal(x.grad, grad * (kept.detach() > 0))


def test_a_rate_of_zero_is_no_dropout_even_at_the_lowest_level() -> None:
    x = normal(K, B, H)
    zeros = torch.zeros(B, H, dtype=torch.int16)
    rates = DropoutRates(torch.zeros(K, 1, 1, dtype=torch.float64))
    assert torch.equal(relu_dropout(x.clone(), zeros, rates), torch.relu(x))
    assert torch.equal(relu_dropout(x.clone()), torch.relu(x))


def test_a_higher_rate_drops_a_superset() -> None:
    x = torch.ones(2, 50, 50)
    rates = DropoutRates(torch.tensor([0.2, 0.5])[:, None, None])
    kept = relu_dropout(x, drawn_levels(50, 50), rates) > 0
    assert bool((kept[0] | ~kept[1]).all())
    assert kept[0].float().mean() > kept[1].float().mean()
