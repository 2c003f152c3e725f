"""The embedding of free text equals a dense product."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autoloss.models.bags import bag

K, V, E, B, M = 3, 40, 5, 7, 6


def drawn(n_batches: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(n_batches)
    terms = torch.randint(0, V, (n_batches, B, M), dtype=torch.int32)
    shares = torch.rand(n_batches, B, M, dtype=dtype) * (torch.rand(n_batches, B, M) < 0.7)
    shares[:, 2] = 0.0
    return torch.randn(K, V, E, dtype=dtype), terms, shares


def dense(terms: Tensor, shares: Tensor) -> Tensor:
    """Return the weights of all terms, ``(G, B, V)``."""
    return torch.zeros(*terms.shape[:2], V, dtype=shares.dtype).scatter_add(
        -1, terms.long(), shares
    )


@pytest.mark.parametrize("places", [None, [1, 0, 1]])
def test_values_and_gradients_are_those_of_a_dense_product(places: list[int] | None) -> None:
    table, terms, shares = drawn(1 if places is None else 2)
    table.requires_grad_()
    every = dense(terms, shares)
    expected = (every if places is None else every[places]) @ table
    found = bag(table, terms, shares, places)
    torch.testing.assert_close(found, expected)
    assert not found[:, 2].any()
    slope = torch.randn_like(found)
    (of_found,) = torch.autograd.grad(found, table, slope)
    (of_expected,) = torch.autograd.grad(expected, table, slope)
    torch.testing.assert_close(of_found, of_expected)


def test_a_candidate_alone_has_the_same_values_and_gradients_to_the_bit() -> None:
    table, terms, shares = drawn(1, torch.float32)
    table.requires_grad_()
    slope = torch.randn(K, B, E)
    found = bag(table, terms, shares)
    (gradient,) = torch.autograd.grad(found, table, slope)
    for k in range(K):
        own = table[k : k + 1].detach().requires_grad_()
        alone = bag(own, terms, shares)
        assert torch.equal(alone[0], found[k])
        (of_own,) = torch.autograd.grad(alone, own, slope[k : k + 1])
        assert torch.equal(of_own[0], gradient[k])


@pytest.mark.parametrize("places", [None, [1, 0, 1]])
def test_a_gradient_that_is_written_elsewhere_is_the_same(places: list[int] | None) -> None:
    table, terms, shares = drawn(1 if places is None else 2)
    table.requires_grad_()
    slope = torch.randn(K, B, E, dtype=table.dtype)
    (expected,) = torch.autograd.grad(bag(table, terms, shares, places), table, slope)
    whole = torch.full((K, V * E + 3), torch.nan, dtype=table.dtype)
    into = whole[:, 2:-1].view(K, V, E)
    found = bag(table, terms, shares, places, into)
    (gradient,) = torch.autograd.grad(found, table, slope)
    assert gradient.data_ptr() == into.data_ptr()
    assert torch.equal(into, expected)
    assert whole[:, [0, 1, -1]].isnan().all()


def test_a_batch_without_a_term_is_zero() -> None:
    table, terms, shares = drawn(1)
    table.requires_grad_()
    found = bag(table, terms, torch.zeros_like(shares))
    assert not found.any()
    (gradient,) = torch.autograd.grad(found.sum(), table)
    assert not gradient.any()
