"""What is remembered of the examples of a batch, read once a step."""

from __future__ import annotations

import torch
from torch import Tensor


def recalled(memory: Tensor, candidates: Tensor, ids: Tensor) -> Tensor:
    """Return ``memory[candidates, ids]``, which the backward pass does not read again.

    The memory is written in the same step. A compiled graph that may read it again in the backward
    pass finds there what was written, so that compilers get one operation that they do not repeat.

    Shape:
        ``(k, N, ...)``, ``(k, 1)``, ``(k, B)`` → ``(k, B, ...)``.
    """
    if torch.compiler.is_compiling():
        found: Tensor = _recalled(memory, candidates, ids)
        return found
    return memory[candidates, ids]


@torch.library.custom_op(
    "autoloss::recalled",
    mutates_args=(),
    schema="(Tensor memory, Tensor candidates, Tensor ids) -> Tensor",
)
def _recalled(memory: Tensor, candidates: Tensor, ids: Tensor) -> Tensor:
    return memory[candidates, ids]


@_recalled.register_fake
def _shape(memory: Tensor, candidates: Tensor, ids: Tensor) -> Tensor:
    return memory.new_empty(*ids.shape, *memory.shape[2:])
