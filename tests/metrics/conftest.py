from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor


@pytest.fixture
def make_probs() -> Callable[..., tuple[Tensor, Tensor]]:
    """Log probabilities (K, N, C) that carry signal, and classes (N,)."""

    def make(
        n_candidates: int = 4, n: int = 500, n_classes: int = 3, *, seed: int = 0
    ) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(seed)
        targets = torch.randint(n_classes, (n,), generator=random)
        signal = torch.nn.functional.one_hot(targets, n_classes)
        noise = torch.randn(n_candidates, n, n_classes, generator=random, dtype=torch.float64)
        return torch.log_softmax(noise + signal, -1), targets

    return make


@pytest.fixture
def make_calibrated() -> Callable[..., tuple[Tensor, Tensor]]:
    """Confidence 0.4 + 0.6 Beta(3, 1) and outcomes that are right just as often, (K, N) each."""

    def make(n_candidates: int, n: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
        random = torch.Generator().manual_seed(seed)
        uniform = torch.rand(2, n_candidates, n, generator=random, dtype=torch.float64)
        confidence = 0.4 + 0.6 * uniform[0] ** (1 / 3)
        return confidence, (uniform[1] < confidence).double()

    return make
