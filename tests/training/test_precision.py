from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from autoloss.bench.problem import make_setting, plain_network
from autoloss.models import Heads, apply_heads
from autoloss.models.layers import dense
from autoloss.training import Outcome, train
from autoloss.training import job as jobs
from autoloss.training.job import product_dtype

CPU = torch.device("cpu")
LOW = torch.bfloat16


def layer(k: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return (
        torch.randn(k, 40, 30, generator=draw).requires_grad_(),
        torch.randn(k, 20, 30, generator=draw).requires_grad_(),
        torch.randn(k, 20, generator=draw).requires_grad_(),
    )


def test_products_are_of_rounded_numbers_and_gradients_of_the_type_of_what_was_given() -> None:
    x, weight, bias = layer()
    found = dense(x, weight, bias, products=LOW)
    assert found.dtype == LOW
    product = torch.einsum("kbd,khd->kbh", x.to(LOW).double(), weight.to(LOW).double())
    # The sum is rounded once more.
    expected = (product + bias[:, None].to(LOW)).to(LOW)
    torch.testing.assert_close(found, expected, rtol=2**-7, atol=1e-3)
    above = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((found * above).sum(), (x, weight, bias))
    exact = torch.autograd.grad((dense(x, weight, bias) * above).sum(), (x, weight, bias))
    for one, other in zip(gradients, exact, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() / other.norm() < 2**-7


def test_inputs_that_all_share_give_what_copies_of_them_give() -> None:
    x, weight, bias = layer()
    shared = x[:1].detach().expand(3, -1, -1)
    copied = dense(shared.clone(), weight, bias, products=LOW)
    assert torch.equal(dense(shared, weight, bias, products=LOW), copied)


def test_only_single_precision_is_ever_lowered() -> None:
    assert product_dtype("bfloat16", CPU, torch.float64) == torch.float64
    assert product_dtype("bfloat16", CPU) == LOW
    assert product_dtype("float32", CPU) == torch.float32
    assert product_dtype("auto", torch.device("cuda")) == torch.float32


@pytest.mark.parametrize(
    ("found", "expected"),
    [({"avx512_bf16": True}, LOW), ({"amx_bf16": True}, LOW), ({"avx2": True}, torch.float32)],
)
def test_auto_asks_the_processor(
    found: dict[str, bool], expected: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    monkeypatch.setattr(jobs, "_library_has_them", lambda: True)
    assert product_dtype("auto", CPU) == expected
    monkeypatch.setattr(jobs, "_library_has_them", lambda: False)
    assert product_dtype("auto", CPU) == torch.float32
    assert product_dtype("bfloat16", CPU) == LOW
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert product_dtype("auto", CPU) == torch.float32


def test_auto_obeys_a_library_that_is_held_to_an_older_processor() -> None:
    program = "import autoloss.training.job as p; print(p._library_has_them())"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == "False"


def test_a_training_in_lower_precision_is_near_and_does_not_depend_on_neighbours() -> None:
    setting = make_setting(together=6, network=plain_network(64), rows=2048, epochs=3)

    def outcomes(precision: str, n: int) -> list[Outcome]:
        config = replace(setting.job.config, precision=precision)  # type: ignore[arg-type]
        return train(replace(setting.job, config=config), setting.candidates[:n])

    low, exact, fewer = outcomes("bfloat16", 6), outcomes("float32", 6), outcomes("bfloat16", 4)
    for one, other in zip(low, exact, strict=True):
        assert not torch.equal(one.weights, other.weights)
        assert one.weights.dtype == one.logits.dtype == torch.float32
        # The best log losses of a curve that both walk down.
        losses = [
            min(point.refined_log_loss for point in each.report.curve) for each in (one, other)
        ]
        assert abs(losses[0] - losses[1]) < 0.01
    for one, other in zip(fewer, low, strict=False):
        assert torch.equal(one.weights, other.weights)


def test_the_last_layer_is_exact_on_inputs_of_lower_precision_and_its_gradients_are_near() -> None:
    x, weight, bias = layer()
    low = x.detach().to(LOW).requires_grad_()
    found, exact = dense(low, weight, bias), dense(low.float(), weight, bias)
    assert found.dtype == torch.float32
    assert torch.equal(found, exact)
    above = torch.randn(found.shape, generator=torch.Generator().manual_seed(1))
    given = (low, weight, bias)
    gradients, expected = (
        torch.autograd.grad((one * above).sum(), given) for one in (found, exact)
    )
    assert [one.dtype for one in gradients] == [LOW, torch.float32, torch.float32]
    for one, other in zip(gradients, expected, strict=True):
        assert (one - other).norm() / other.norm() < 2**-7


def test_a_linear_candidate_does_not_depend_on_the_heads_of_others_in_lower_precision() -> None:
    x, weight, bias = layer()
    low = x.detach().to(LOW).requires_grad_()
    alone, _ = apply_heads(low, weight, bias)
    beside, _ = apply_heads(low, weight, bias, Heads(("linear", "cosine", "unbiased")))
    assert torch.equal(alone[0], beside[0])
    found = [torch.autograd.grad(one[0].sum(), (low, weight, bias)) for one in (alone, beside)]
    for one, other in zip(*found, strict=True):
        assert torch.equal(one[0], other[0])
