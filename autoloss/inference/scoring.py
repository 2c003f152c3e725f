"""The raw scores of a network for encoded rows, in the precision of predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from autoloss.data.encoding import Inputs
from autoloss.losses import get
from autoloss.losses.spec_data import SpecData
from autoloss.models import Heads, Network
from autoloss.training.rows import logits_of
from autoloss.training.token_rows import EncodedTokens

CHUNK_ROWS = 8192
# Of the widest activation of a chunk: less than 300 MB in double precision.
_CHUNK_NUMBERS = CHUNK_ROWS << 12


@torch.no_grad()
def raw_scores(
    network: Network, weights: Tensor, spec: SpecData, inputs: Inputs, *, of_tokens: bool
) -> Tensor:
    """Return the raw scores of a network for encoded rows, chunk by chunk.

    Args:
        network: The network.
        weights: Its weights.
        spec: The loss, which decides the last layer.
        inputs: The rows.
        of_tokens: Whether the tokens of the rows have the labels.

    Shape:
        - weights: ``(P,)``
        - output: ``(N, C)``, float64; of tokens ``(1, T, C)``
    """
    dtype = network.exact
    row = weights.unsqueeze(0).to(dtype)
    if of_tokens:
        tokens = EncodedTokens.unlabelled(network, inputs.to("cpu", dtype))
        return logits_of(network, row, [spec], tokens)[0]
    views = network.layout.views(row)
    heads = Heads((get(spec.base).head,))
    chunks = []
    # Single precision is that of convolutions, whose places are best in the cache.
    numbers = _CHUNK_NUMBERS // 16 if dtype == torch.float32 else _CHUNK_NUMBERS
    at_once = min(CHUNK_ROWS, max(64, numbers // network.widest))
    for rows in torch.split(torch.arange(len(inputs)), at_once):
        taken = network.encode(inputs.take(rows.unsqueeze(0)).to("cpu", dtype))
        chunks.append(network.body(views, taken, heads=heads)[0].double())
    return torch.cat(chunks) if chunks else torch.empty(0, network.n_classes)
