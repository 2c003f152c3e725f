from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig
from autoloss.losses import LossContext, get
from autoloss.models import CosineHead, Heads, TableNetwork, apply_heads
from autoloss.models.layers import dense
from tests.training.conftest import make_part, make_schema

B, H, C = 5, 6, 4
NAMES = ("linear", "unbiased", "cosine")
MIXED = ("cosine", "linear", "unbiased", "linear", "cosine")


def normal(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=draw, dtype=torch.float64)


def parts(k: int) -> tuple[Tensor, Tensor, Tensor]:
    made = (normal(k, B, H), normal(k, C, H, seed=1), normal(k, C, seed=2))
    return tuple(part.requires_grad_() for part in made)  # type: ignore[return-value]


def slowly(name: str, hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return the logits of one candidate by torch alone."""
    if name == "cosine":
        return functional.cosine_similarity(hidden[:, None], weight[None], dim=-1)
    return functional.linear(hidden, weight, bias if name == "linear" else None)


@pytest.mark.parametrize("names", [MIXED, *((name,) * 2 for name in NAMES)], ids="-".join)
def test_each_candidate_gets_its_head(names):
    given = parts(len(names))
    logits, norms = apply_heads(*given, Heads(names))
    assert (norms is not None) == ("unbiased" in names)
    for k, name in enumerate(names):
        own = [part[k] for part in given]
        assert_close(logits[k], slowly(name, *own))
        if name == "unbiased":
            expected = own[0].norm(dim=1)[:, None] * own[1].norm(dim=1)
            assert_close(norms[k], expected)
            # The norms are those of the cosine, and the values of other heads are finite.
            assert_close(logits[k] / norms[k], slowly("cosine", *own))
    assert norms is None or bool(norms.isfinite().all())


def test_slopes_are_those_of_the_formula():
    heads = Heads(MIXED)
    scale = normal(len(MIXED), B, C, seed=3)

    def both(*given: Tensor) -> Tensor:
        logits, norms = apply_heads(*given, heads)
        return (logits * scale + norms.square()).sum((1, 2))

    given = parts(len(MIXED))
    assert torch.autograd.gradcheck(both, given)
    (bias,) = torch.autograd.grad(both(*given).sum(), given[2:])
    has_bias = torch.tensor([name == "linear" for name in MIXED])
    assert bool((bias[has_bias] != 0.0).all())
    assert bool((bias[~has_bias] == 0.0).all())


def test_a_candidate_does_not_see_the_heads_of_the_others():
    given = parts(3)
    found: dict[tuple[int, str], Tensor] = {}
    for names in itertools.product(NAMES, repeat=3):
        logits, norms = apply_heads(*given, Heads(names))
        value = logits.square().sum()
        for k, name in enumerate(names):
            if name == "unbiased":
                value = value + norms[k].square().sum()
        slopes = torch.autograd.grad(value, given)
        for k, name in enumerate(names):
            pieces = [logits[k], *(slope[k] for slope in slopes)]
            row = torch.cat([piece.detach().flatten() for piece in pieces])
            assert torch.equal(row, found.setdefault((k, name), row))


def test_all_linear_is_the_dense_layer():
    given = parts(2)
    for heads in (None, Heads(("linear",) * 2), Heads(MIXED).keep([3, 1])):
        logits, norms = apply_heads(*given, heads)
        assert norms is None
        assert torch.equal(logits, dense(*given))


def test_kept_candidates_keep_their_heads_in_the_new_order():
    given, rows = parts(len(MIXED)), [4, 0, 2]
    logits, norms = apply_heads(*given, Heads(MIXED))
    kept, kept_norms = apply_heads(*(part[rows] for part in given), Heads(MIXED).keep(rows))
    assert_close(kept, logits[rows], atol=1e-13, rtol=0)
    assert_close(kept_norms, norms[rows], atol=1e-13, rtol=0)


def test_one_head_a_candidate():
    with pytest.raises(ValueError, match=r"each of 3 candidates, but got heads\.names=\('cosine'"):
        apply_heads(*parts(3), Heads(("cosine",)))


@pytest.mark.parametrize("size", [1e-5, 1.0, 1e5])
def test_cosines_do_not_depend_on_the_size_of_features_and_weights(size: float):
    hidden, weight, bias = parts(1)
    heads = Heads(("cosine",))
    plain, _ = apply_heads(hidden, weight, bias, heads)
    sized, _ = apply_heads(hidden * size, weight / size, bias, heads)
    assert_close(sized, plain)
    along, _ = apply_heads(weight * size, weight, bias, heads)
    assert_close(torch.diagonal(along[0]), torch.ones(C, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_features_of_zero_have_finite_slopes_and_no_direction(dtype: torch.dtype):
    names = ("cosine", "unbiased", "linear")
    given = [part.detach().to(dtype) for part in parts(3)]
    given[0][:, 1] = 0.0
    given = [part.requires_grad_() for part in given]
    logits, norms = apply_heads(*given, Heads(names))
    assert bool((logits[:2, 1] == 0.0).all())
    slopes = torch.autograd.grad((logits.exp() + norms.exp()).sum(), given)
    assert all(bool(slope.isfinite().all()) for slope in slopes)
    assert bool((slopes[0][0, 1] == 0.0).all())
    # Another example of the same candidate still learns.
    assert bool((slopes[0][0, 0] != 0.0).all())


def test_a_linear_candidate_meets_no_norm_that_overflows():
    given = [part.detach().float() for part in parts(3)]
    given[0][2] = 1e30
    given = [part.requires_grad_() for part in given]
    for others in itertools.product(NAMES, repeat=2):
        logits, norms = apply_heads(*given, Heads((*others, "linear")))
        value = logits.sum() if norms is None else (logits + norms).sum()
        slopes = torch.autograd.grad(value, given)
        assert all(bool(one.isfinite().all()) for one in (logits, *slopes))


@pytest.mark.parametrize("depth", [0, 2])
def test_the_network_is_its_head_on_what_the_head_sees(depth: int):
    config = NetworkConfig(width=8, bins=4, depth=depth)
    network = TableNetwork(make_schema(), 3, config)
    rows = [network.initial(torch.Generator().manual_seed(k)) for k in range(3)]
    weights = network.layout.views(torch.stack(rows))
    weights["output.bias"] = normal(3, 3, seed=4).float()
    features = network.encode(make_part(7, 0).inputs.take(torch.arange(7).unsqueeze(0)))
    heads = Heads(NAMES)

    hidden = network.hidden(weights, features)
    logits, norms = network.head(weights, hidden, heads)
    assert torch.equal(network.body(weights, features, heads=heads), logits)
    assert norms is not None
    for k, name in enumerate(NAMES):
        own = (hidden[k], weights["output.weight"][k], weights["output.bias"][k])
        assert_close(logits[k], slowly(name, *own))
    # Without heads all are linear.
    plain = network.body(weights, features)
    assert torch.equal(plain[0], logits[0])
    assert_close(plain[2], slowly("linear", *own))


def test_the_module_is_the_cosine_head_of_one_candidate():
    head = CosineHead(H, C).double()
    features = normal(2, B, H)
    weight = head.weight.unsqueeze(0).expand(2, -1, -1)
    cosines, _ = apply_heads(features, weight, torch.zeros(2, C).double(), Heads(("cosine",) * 2))
    assert_close(head(features), cosines)
    assert_close(head(features[0]), cosines[0])
    assert_close(head(features) * head.norms(features), features @ head.weight.mT)
    assert str(head) == "CosineHead(in_features=6, n_classes=4)"


def test_the_norms_of_the_module_serve_a_head_without_bias():
    head, features = CosineHead(H, C).double(), normal(B, H)
    norms, targets = head.norms(features), torch.arange(B) % C
    logits = head(features) * norms
    context = LossContext(norms=norms)
    plain = functional.cross_entropy(features @ head.weight.mT, targets, reduction="none")
    assert_close(get("l_softmax")(logits, targets, m=1, context=context), plain)
    assert bool((get("l_softmax")(logits, targets, m=3, context=context) > plain).all())


@pytest.mark.parametrize("widths", [(0, 3), (4, 0)])
def test_the_module_has_features_and_classes(widths):
    with pytest.raises(InputError, match="must be 1 or more"):
        CosineHead(*widths)
