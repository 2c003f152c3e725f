"""The last layer: linear, linear without bias, or the cosines of angles to the class weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from autoloss.core.errors import InputError
from autoloss.losses.loss import Head
from autoloss.models.layers import dense

# Features or weights below this norm have no direction, for example where all units of an example
# are off. Their cosines are 0 and pass no gradient.
_SMALLEST_NORM = 1e-12


@dataclass(frozen=True)
class Heads:
    """The head of each of K candidates.

    Args:
        names: The head of each candidate: the `Loss.head` of its loss.
        device: The device of the network.

    Examples:
        >>> Heads(("linear", "cosine", "linear")).keep([0, 2]).all_linear
        True
    """

    names: tuple[Head, ...]
    device: torch.device | str = "cpu"

    @property
    def all_linear(self) -> bool:
        """Return whether all are plain linear layers."""
        return all(name == "linear" for name in self.names)

    def keep(self, rows: Sequence[int]) -> Heads:
        """Return the heads of some of the candidates, in the order of `rows`."""
        return Heads(tuple(self.names[row] for row in rows), self.device)

    @cached_property
    def biasless(self) -> Tensor:
        """Return which candidates have no bias, ``(K, 1)``."""
        flags = [[name != "linear"] for name in self.names]
        return torch.tensor(flags, device=self.device)

    @cached_property
    def cosine(self) -> Tensor | None:
        """Return the rows of the candidates with cosines; None if there are none."""
        return self._rows("cosine")

    @cached_property
    def unbiased(self) -> Tensor | None:
        """Return the rows of the linear candidates without bias; None if there are none."""
        return self._rows("unbiased")

    def _rows(self, head: Head) -> Tensor | None:
        rows = [row for row, name in enumerate(self.names) if name == head]
        return torch.tensor(rows, device=self.device) if rows else None


def apply_heads(
    hidden: Tensor, weight: Tensor, bias: Tensor, heads: Heads | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return the logits of all candidates, and the norms that some losses need.

    The result for a candidate does not depend on the heads of the others.

    Args:
        hidden: Features, the inputs of the last layer; possibly in a lower precision than the
            weights.
        weight: The weights, in the precision of the logits.
        bias: The biases, which count for linear heads only.
        heads: The heads; None if all are linear.

    Returns:
        Logits, which are cosines for a cosine head; and, where a head is ``"unbiased"``, the norm
        of the features times that of each class's weights, 1 for the candidates of other heads.

    Shape:
        - hidden: ``(K, B, H)``
        - weight: ``(K, C, H)``
        - bias: ``(K, C)``
        - output: ``(K, B, C)``, ``(K, B, C)`` or None

    Raises:
        ValueError: If the number of heads is not that of the candidates.
    """
    if heads is None or heads.all_linear:
        return dense(hidden, weight, bias), None
    if len(heads.names) != len(weight):
        raise ValueError(
            f"heads must have one name for each of {len(weight)} candidates, "
            f"but got {heads.names=}."
        )
    logits = dense(hidden, weight, bias.masked_fill(heads.biasless, 0.0))
    hidden = hidden.to(weight.dtype)
    norms = None
    if heads.unbiased is not None:
        found = norm_products(*_take(heads.unbiased, hidden, weight))
        norms = _put(heads.unbiased, torch.ones_like(logits), found)
    if heads.cosine is not None:
        found = _to_cosines(*_take(heads.cosine, logits, hidden, weight))
        logits = _put(heads.cosine, logits, found)
    return logits, norms


def _take(rows: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
    """Return the candidates at `rows`, in their order; without a copy if these are all."""
    return tuple(p if len(rows) == len(p) else p.index_select(0, rows) for p in parts)


def _put(rows: Tensor, whole: Tensor, part: Tensor) -> Tensor:
    """Return `whole` with the candidates at `rows` replaced by `part`."""
    return part if len(rows) == len(whole) else whole.index_copy(0, rows, part)


def norm_products(hidden: Tensor, weight: Tensor) -> Tensor:
    """Return the norm of the features times that of each class's weights.

    Shape:
        ``(..., B, H)``, ``(..., C, H)`` → ``(..., B, C)``.
    """
    return _norm(hidden) * _norm(weight).mT


def _norm(vectors: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return norm


def _to_cosines(products: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
    """Return inner products divided by both norms, which costs less than dividing the vectors."""
    return products * _inverse(_norm(hidden)) * _inverse(_norm(weight)).mT


def _inverse(norm: Tensor) -> Tensor:
    smallest = max(_SMALLEST_NORM, torch.finfo(norm.dtype).tiny)
    return torch.where(norm > smallest, 1.0 / norm.clamp_min(smallest), 0.0)


class CosineHead(nn.Module):
    """A last layer for losses of cosines: features and class weights of norm 1, no bias.

    Args:
        in_features: H, the width of the features.
        n_classes: C.

    Shape:
        - input: ``(..., B, H)``
        - output: ``(..., B, C)``, from -1 to 1; 0 for features that are all 0

    Raises:
        InputError: If a number is below 1.

    Examples:
        >>> from autoloss.losses import get
        >>> head = CosineHead(16, 3)
        >>> cosines = head(torch.randn(8, 16))
        >>> get("arcface")(cosines, torch.zeros(8, dtype=torch.int64)).shape
        torch.Size([8])
    """

    def __init__(self, in_features: int, n_classes: int) -> None:
        super().__init__()
        for name, value in (("in_features", in_features), ("n_classes", n_classes)):
            if value < 1:
                raise InputError(f"{name} must be 1 or more, but got {name}={value}.")
        self.weight = nn.Parameter(torch.empty(n_classes, in_features))
        nn.init.uniform_(self.weight, -1.0 / math.sqrt(in_features), 1.0 / math.sqrt(in_features))

    def forward(self, features: Tensor) -> Tensor:
        """Return the cosine of the angle between the features and each class's weights."""
        return _to_cosines(features @ self.weight.mT, features, self.weight)

    def norms(self, features: Tensor) -> Tensor:
        """Return the norm of the features times the norm of each class's weights, ``(..., B, C)``.

        The cosines times these norms are the logits of a head without bias, such as `l_softmax`
        needs; pass them to the loss by ``LossContext(norms=...)``.

        Examples:
            >>> from autoloss.losses import LossContext, get
            >>> head, features = CosineHead(16, 3), torch.randn(8, 16)
            >>> norms = head.norms(features)
            >>> logits, targets = head(features) * norms, torch.zeros(8, dtype=torch.int64)
            >>> get("l_softmax")(logits, targets, context=LossContext(norms=norms)).shape
            torch.Size([8])
        """
        return norm_products(features, self.weight)

    def extra_repr(self) -> str:
        """Return the widths, for printing."""
        n_classes, in_features = self.weight.shape
        return f"in_features={in_features}, n_classes={n_classes}"
