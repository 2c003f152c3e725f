"""Logits of a whole split, in chunks that fit the caches."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.training.population import Population
from autoloss.training.rows import EncodedRows

CHUNK_NUMBERS = 1_000_000
"""Numbers of the widest activation that one chunk may make."""


def split_logits(population: Population, encoded: EncodedRows) -> Tensor:
    """Return the logits of every row of a part by every candidate, ``(K, N, C)``."""
    network = population.network
    n_rows, n_candidates = len(encoded), len(population)
    widest = max(network.encoded_width, network.config.width)
    chunk = max(64, CHUNK_NUMBERS // (n_candidates * widest))
    logits = torch.empty(
        n_candidates, n_rows, network.n_classes, device=population.device, dtype=population.dtype
    )
    for start in range(0, n_rows, chunk):
        rows = torch.arange(start, min(start + chunk, n_rows), device=population.device)
        features = encoded.features(rows.unsqueeze(0))
        logits[:, start : start + chunk] = population.logits(features)
    return logits
