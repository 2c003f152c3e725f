from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

Problem = tuple[Tensor, Tensor]


@pytest.fixture
def make_problem() -> Callable[..., Problem]:
    """Logits (K, N, C) with signal, each candidate at its own scale, and classes (N,)."""

    def make(
        n_candidates: int = 4,
        n: int = 300,
        n_classes: int = 3,
        *,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> Problem:
        random = torch.Generator().manual_seed(seed)
        targets = torch.randint(n_classes, (n,), generator=random)
        signal = 1.5 * torch.nn.functional.one_hot(targets, n_classes)
        noise = torch.randn(n_candidates, n, n_classes, generator=random, dtype=torch.float64)
        scale = torch.logspace(-1.5, 1.5, n_candidates, dtype=torch.float64)[:, None, None]
        return ((noise + signal) * scale).to(dtype), targets

    return make


@pytest.fixture
def bisect() -> Callable[..., Tensor]:
    """Plain bisection on the slope of the log loss, one candidate a column: the oracle."""

    def find(scores: Tensor, targets: Tensor) -> Tensor:
        scores = scores.double()
        low = torch.full((len(scores),), -16.0, dtype=torch.float64)
        high = -low
        index = targets.expand(len(scores), -1).unsqueeze(-1)
        of_target = scores.gather(-1, index).squeeze(-1)
        for _ in range(60):
            middle = (low + high) / 2
            probs = torch.softmax(scores * middle.exp()[:, None, None], -1)
            slope = ((probs * scores).sum(-1) - of_target).mean(-1)
            low = torch.where(slope < 0, middle, low)
            high = torch.where(slope < 0, high, middle)
        return (low + high) / 2

    return find
