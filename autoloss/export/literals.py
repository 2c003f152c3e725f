"""Values of a model as Python text."""

from __future__ import annotations

import math
import pprint
from dataclasses import dataclass
from typing import Any

from autoloss.inference.classifier import Classifier


@dataclass(frozen=True)
class Weights:
    """The weights of an export as code.

    Args:
        name: The name of their file.
        sha256: The digest of the file.
    """

    name: str
    sha256: str


def literal(value: Any) -> str:
    """Return a value as Python text."""
    return pprint.pformat(value, width=99, compact=True, sort_dicts=False)


def plain(name: str) -> str:
    """Return a name without the letters that would end a docstring."""
    return "".join(letter for letter in name if letter.isprintable() and letter not in '\\"')


def log_shares(classifier: Classifier) -> list[float]:
    """Return the logarithm of each member's share in the mean."""
    shares, count = classifier.log_shares, len(classifier.members)
    return [-math.log(count)] * count if shares is None else shares.tolist()
