"""Logits of a whole part, in chunks that fit the caches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoloss.losses import get
from autoloss.losses.spec_data import SpecData
from autoloss.models import Heads, Network
from autoloss.training.population import Population
from autoloss.training.rows import EncodedRows

CHUNK_NUMBERS = 1_000_000
"""Largest number of elements in the widest activation of a chunk."""


def split_logits(population: Population, encoded: EncodedRows) -> Tensor:
    """Return the logits of every row of a part by every candidate, ``(K, N, C)``."""
    return logits_of(population.network, population.rows, population.objective.specs, encoded)


@torch.no_grad()
def logits_of(
    network: Network, weights: Tensor, specs: Sequence[SpecData], encoded: EncodedRows
) -> Tensor:
    """Return the logits of every row of a part by networks of the same shape, without dropout.

    Args:
        network: The network.
        weights: Weights, one candidate a row.
        specs: Their losses, which decide the last layer.
        encoded: The rows.

    Shape:
        - weights: ``(K, P)``
        - output: ``(K, N, C)``
    """
    n_rows, n_candidates = len(encoded), len(weights)
    views = network.layout.views(weights)
    heads = Heads(tuple(get(spec.base).head for spec in specs), weights.device)
    chunk = max(64, CHUNK_NUMBERS // (n_candidates * network.widest))
    logits = weights.new_empty(n_candidates, n_rows, network.n_classes)
    for start in range(0, n_rows, chunk):
        rows = torch.arange(start, min(start + chunk, n_rows), device=weights.device)
        features = encoded.features(rows.unsqueeze(0))
        logits[:, start : start + chunk] = network.body(views, features, heads=heads)
    return logits
