"""A model of images as one torch module: from pixels to the decision and probabilities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from autoloss.data import ImageEncoding
from autoloss.export.graph import ModelGraph
from autoloss.export.network_graph import NetworkMember, answer_words, members_of
from autoloss.inference.classifier import Classifier
from autoloss.models import Features

_PIXELS = {
    "pixels": "uint8 (N, H, W, C): upright images on white, scaled to H x W with antialiasing, "
    "in grey (C = 1) or red, green and blue (C = 3)"
}


class PictureGraph(ModelGraph):
    """A model of images as a function of pixels.

    Shape:
        - pixels: ``(N, H, W, C)``, uint8
        - output: as of `ModelGraph`
    """

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return decisions and probabilities."""
        return self.concluded([member(pixels) for member in self.members])


class PictureMember(NetworkMember):
    """One member of a model of images: from pixels to log probabilities."""

    def features(self, rows: Tensor) -> Features:
        """Return pixels as they are."""
        return Features(pixels=rows.unsqueeze(0))


def are_pictures(classifier: Classifier) -> bool:
    """Return whether a model reads images."""
    return isinstance(classifier.members[0].encoding, ImageEncoding)


def picture_graph(classifier: Classifier) -> PictureGraph:
    """Return a model of images as a module of tensors."""
    return PictureGraph(classifier, members_of(classifier, PictureMember)).eval()


def blank_pictures(classifier: Classifier, n: int = 3) -> Tensor:
    """Return `n` black images of the size of a model."""
    size = classifier.members[0].encoding.shape
    return torch.zeros(n, size.height, size.width, size.channels, dtype=torch.uint8)


def picture_words(classifier: Classifier) -> dict[str, Any]:
    """Return the description of pixels, classes and decision, for JSON."""
    size = classifier.members[0].encoding.shape
    return {
        "inputs": _PIXELS,
        "height": size.height,
        "width": size.width,
        "channels": size.channels,
        **answer_words(classifier),
    }
