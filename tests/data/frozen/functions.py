"""Functions of features, as a custom file declares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

CALLS: list[int] = []


def counts_of_letters(texts: Sequence[str]) -> Any:
    """Return the numbers of a, b and c in each text."""
    CALLS.append(len(texts))
    return np.array([[text.count(letter) for letter in "abc"] for text in texts], dtype=float)


def sides(pictures: Sequence[Any]) -> torch.Tensor:
    """Return the mean of each row and column of images, as a tensor that needs gradients."""
    CALLS.append(len(pictures))
    found = [np.asarray(one.convert("L").resize((9, 9)), dtype=np.float32) for one in pictures]
    stack = torch.tensor(np.stack(found))
    return torch.cat([stack.amax(1), stack.amax(2)], 1).requires_grad_()


def fails(texts: Sequence[str]) -> Any:
    """Fail."""
    raise KeyError("no vocabulary")


def flat(texts: Sequence[str]) -> Any:
    """Return a number in the place of a vector."""
    return np.zeros(len(texts))


def infinite(texts: Sequence[str]) -> Any:
    """Return a number that is not finite."""
    return np.full((len(texts), 2), np.inf)


def ragged(texts: Sequence[str]) -> Any:
    """Return vectors of the width of the batch."""
    return np.zeros((len(texts), len(texts)))
