"""Settings and data that every loss is tried on."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from autoloss import losses
from autoloss.losses import ChoiceParam, FloatParam, IntParam, Loss, LossContext, Parameter

ALL = tuple(losses.get(name) for name in losses.names())
SMOOTH = tuple(loss for loss in ALL if loss.has_exact_readout)


def inside(parameter: Parameter) -> list[float]:
    """Return the ends of a parameter's range and what lies between."""
    if isinstance(parameter, ChoiceParam):
        return list(parameter.choices)
    if isinstance(parameter, IntParam):
        return sorted({parameter.low, parameter.low + 1, parameter.default, parameter.high})
    # Near the lower end, where a power below 1 has no finite slope at 0.
    near = parameter.low + (parameter.high - parameter.low) / 10
    return sorted(
        {parameter.low, parameter.default, type(parameter.default)(near), parameter.high}
    )


def with_limits(parameter: Parameter) -> list[float]:
    """Return the same and the ends of what is allowed."""
    limits = parameter.allowed.closed_ends if isinstance(parameter, FloatParam) else ()
    return sorted({*inside(parameter), *limits})


def settings(loss: Loss, points=inside) -> list[dict[str, float]]:
    """Return every combination of such values."""
    columns = [points(parameter) for parameter in loss.parameters.values()]
    return [dict(zip(loss.parameters, row, strict=True)) for row in itertools.product(*columns)]


def each(points=inside, some=ALL) -> list[tuple[Loss, dict[str, float]]]:
    """Return every loss with every setting, for `pytest.mark.parametrize`."""
    return [(loss, setting) for loss in some for setting in settings(loss, points)]


def label(value: object) -> str:
    """Return how a case is called in the output of pytest."""
    if isinstance(value, Loss):
        return value.name
    if isinstance(value, dict):
        return ",".join(f"{key}={number:g}" for key, number in value.items()) or "plain"
    return str(value)


def logits_for(loss: Loss, *shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Return logits that the head of a loss can give, in float64."""
    drawn = draw(*shape, seed=seed, scale=scale)
    return 0.95 * drawn.tanh() if loss.head == "cosine" else drawn


def context_for(loss: Loss, logits: Tensor, *, seed: int = 7) -> LossContext | None:
    """Return a context with all that a loss needs for these logits."""
    if not loss.needs:
        return None
    n_classes = logits.shape[-1]
    every = LossContext(
        class_counts=torch.arange(1, n_classes + 1, dtype=logits.dtype).flip(0) * 10,
        row_ids=torch.arange(logits.shape[-2]),
        progress=0.7,
        teacher_logits=draw(*logits.shape, seed=seed).to(logits.dtype),
        norms=logits.detach().abs().amax()
        + 0.5
        + draw(*logits.shape, seed=seed).abs().to(logits.dtype),
        memory=draw(*logits.shape, seed=seed).softmax(-1).to(logits.dtype),
    )
    return every


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Return normal numbers in float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64) * scale


def draw_labels(*shape: int, n_classes: int, seed: int = 1) -> Tensor:
    """Return labels."""
    return torch.randint(n_classes, shape, generator=torch.Generator().manual_seed(seed))


def slope(value: Tensor, at: Tensor) -> Tensor:
    """Return the gradient of the sum of `value`."""
    return torch.autograd.grad(value.sum(), at)[0]
