"""Labels in place of hard labels: smoothed and mixed labels, and the inverse of smoothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.losses.facts import ClassFacts
from autoloss.losses.spec_data import SpecData

# The least probability after undoing: below its smoothed share a class would have a negative
# probability.
FLOOR = 1e-7


@dataclass(frozen=True, eq=False)
class Spread:
    """The spread of the labels of k candidates over the classes.

    Args:
        epsilon: Share that is spread evenly, ``(k, 1, ...)`` with an axis for the items.
        similar: Share that is spread by similarity, in the same shape; None if all are 0.
        similarity: For each class a row, the distribution of that share, ``(C, C)``.
    """

    epsilon: Tensor
    similar: Tensor | None = None
    similarity: Tensor | None = None

    @classmethod
    def of(
        cls,
        specs: Sequence[SpecData],
        facts: ClassFacts,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Self | None:
        """Return the spread of labels, or None for hard labels.

        Raises:
            InputError: If a loss needs a similarity that is not given.
        """

        def column(key: str) -> Tensor:
            numbers = torch.tensor([spec.get(key, 0.0) for spec in specs], dtype=torch.float64)
            column = numbers.view(-1, *[1] * facts.item_axes)
            return column.to(dtype=dtype, device=device)

        epsilon, similar = column("smoothing.epsilon"), column("similarity_smoothing.epsilon")
        has_similar = bool(similar.any())
        if not has_similar:
            return cls(epsilon) if bool(epsilon.any()) else None
        if facts.similarity is None:
            raise InputError(
                "class_similarity must be given for target='similarity_smoothing', but got None."
            )
        return cls(epsilon, similar, facts.similarity.to(dtype=dtype, device=device))

    def rows(self, rows: list[int]) -> Self | None:
        """Return the spread of labels of some of the candidates, or None for hard labels."""
        epsilon = self.epsilon[rows]
        similar = None if self.similar is None else self.similar[rows]
        if similar is not None and bool(similar.any()):
            return type(self)(epsilon, similar, self.similarity)
        return type(self)(epsilon) if bool(epsilon.any()) else None

    def values(self, every: Tensor, targets: Tensor) -> Tensor:
        """Return the loss under spread labels, from its value under every label.

        It is ``(1 - ε) L(z, y) + ε / C sum_k L(z, k)``, without label probabilities.

        Args:
            every: The loss under every label, times the class weights.
            targets: Classes.

        Shape:
            ``every (k, B, C)``, ``targets (k, B)`` → ``(k, B)``.
        """
        at_label = every.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        values = (1.0 - self.epsilon) * at_label + self.epsilon * every.mean(-1)
        if self.similar is None or self.similarity is None:
            return values
        alike = (every * self.similarity[targets]).sum(-1)
        return values + self.similar * (alike - at_label)

    def probs(self, probs: Tensor) -> Tensor:
        """Return spread label probabilities by torch's convention ``(1 - ε) p + ε / C``.

        Shape:
            ``(k, B, C)`` → ``(k, B, C)``.
        """
        epsilon = self.epsilon[..., None]
        spread = (1.0 - epsilon) * probs + epsilon / probs.shape[-1]
        if self.similar is None or self.similarity is None:
            return spread
        return spread + self.similar[..., None] * (probs @ self.similarity - probs)

    def undo(self, log_probs: Tensor) -> Tensor:
        """Return the log posterior from its spread form, clipped to probabilities of 0 or more.

        It is ``(p - ε / C) / (1 - ε)``, and for a spread by similarity the solution of a linear
        equation. A candidate with hard labels keeps its log posterior.

        Shape:
            ``(k, N, C)`` → ``(k, N, C)``.
        """
        epsilon = self.epsilon[..., None]
        probs = (log_probs.exp() - epsilon / log_probs.shape[-1]) / (1.0 - epsilon)
        untouched = epsilon == 0
        if self.similar is not None and self.similarity is not None:
            n_classes = log_probs.shape[-1]
            eye = torch.eye(n_classes, dtype=torch.float64, device=log_probs.device)
            for row in self.similar.flatten(1)[:, 0].nonzero().flatten().tolist():
                share = float(self.similar[row].flatten()[0])
                back = torch.linalg.inv((1.0 - share) * eye + share * self.similarity.double())
                probs = probs.index_copy(
                    0,
                    torch.tensor([row], device=probs.device),
                    (log_probs[row].double().exp() @ back).to(probs.dtype).unsqueeze(0),
                )
            untouched = untouched & (self.similar[..., None] == 0)
        clipped = probs.clamp_min(FLOOR)
        clipped = clipped / clipped.sum(-1, keepdim=True)
        return torch.where(untouched, log_probs, clipped.log())


@dataclass(frozen=True, eq=False)
class Mix:
    """The mixture of a step, which mixes each example, or token, with a partner.

    Args:
        partner: Number of each partner along the last axis: in the batch, or among the tokens of
            a stream. It is a permutation; G is 1 or K.
        share: Share of the example itself; 1 for a candidate that mixes nothing.
        boxes: The part of an image that comes from its partner, in pixels: top, left, bottom,
            right; None if no candidate cuts.

    Shape:
        - partner: ``(G, B)``, of tokens ``(G, 1, T)``, int64
        - share: ``(K, 1)`` or ``(K, B)``; for items ``(K, B, L)``; of tokens ``(K, 1, 1)`` or
          ``(K, 1, T)``
        - boxes: ``(K, 1, 4)`` or ``(K, B, 4)``, int64
    """

    partner: Tensor
    share: Tensor
    boxes: Tensor | None = None

    def rows(self, rows: list[int] | Tensor) -> Mix:
        """Return the mixture of some of the candidates."""
        partner = self.partner if len(self.partner) == 1 else self.partner[rows]
        return Mix(partner, self.share[rows], None if self.boxes is None else self.boxes[rows])

    def partners_of(self, values: Tensor) -> Tensor:
        """Return the values of each partner, ``(K, B, ...)``; of tokens ``(K, 1, T, ...)``."""
        axis = self.partner.ndim - 1
        partner = self.partner.expand(values.shape[: axis + 1])
        if values.ndim > partner.ndim:
            partner = partner.view(*partner.shape, *[1] * (values.ndim - partner.ndim))
            partner = partner.expand_as(values)
        return values.gather(axis, partner)

    def mixed(self, values: Tensor) -> Tensor:
        """Return every value mixed with its partner's, ``(K, B, ...)``."""
        share = self.share_for(values)
        return share * values + (1.0 - share) * self.partners_of(values)

    def share_for(self, values: Tensor) -> Tensor:
        """Return the share with an axis of length 1 for each further axis of `values`."""
        return self.share.view(*self.share.shape, *[1] * (values.ndim - self.share.ndim))

    @property
    def blended(self) -> Tensor:
        """Return the share of an example in the sum of two inputs: 1 where a box was cut."""
        if self.boxes is None:
            return self.share
        top, left, bottom, right = self.boxes.unbind(-1)
        return torch.where((bottom > top) & (right > left), 1.0, self.share)

    def cut(self, pictures: Tensor) -> Tensor:
        """Return images with a box of each partner in place of their own pixels.

        Shape:
            ``(K, B, H, W, C)`` → ``(K, B, H, W, C)``.
        """
        assert self.boxes is not None
        top, left, bottom, right = (one[..., None] for one in self.boxes.unbind(-1))
        down, across = (torch.arange(size, device=pictures.device) for size in pictures.shape[2:4])
        rows, columns = (down >= top) & (down < bottom), (across >= left) & (across < right)
        inside = rows[..., :, None] & columns[..., None, :]
        return torch.where(inside[..., None], self.partners_of(pictures), pictures)


def box_in(
    share: NDArray[np.float64], place: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.int64]:
    """Return boxes inside an image whose areas are about ``1 - share`` of it, in pixels.

    Args:
        share: The share of the image that stays.
        place: Uniform numbers for the two axes, which place the box.
        size: Height and width of the image.

    Shape:
        - share: ``(B,)``
        - place: ``(B, 2)``
        - output: ``(B, 4)``: top, left, bottom, right
    """
    whole = np.array(size)
    sides = np.rint(np.sqrt(1.0 - share)[:, None] * whole)
    first = np.floor(place * (whole - sides + 1.0)).clip(0, whole - sides)
    return np.concatenate([first, first + sides], 1).astype(np.int64)


def share_outside(boxes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Return the share of an image outside of boxes, ``(B, 4)`` → ``(B,)``."""
    area: NDArray[np.float64] = np.prod(boxes[:, 2:] - boxes[:, :2], 1) / np.prod(size)
    return 1.0 - area
