"""A model of pictures as one torch module: from pixels to the decision and probabilities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from autoloss.data import ImageEncoding
from autoloss.export.graph import ModelGraph, ReadoutGraph
from autoloss.export.model_parts import decision_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts, get
from autoloss.models import Features, Heads, Network

_PIXELS = {
    "pixels": "uint8 (N, H, W, C): upright pictures on white, scaled to H x W with antialiasing, "
    "in grey (C = 1) or red, green and blue (C = 3)"
}


class PictureGraph(ModelGraph):
    """A model of pictures as a function of pixels.

    Shape:
        - pixels: ``(N, H, W, C)``, uint8
        - output: as of `ModelGraph`
    """

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return decisions and probabilities."""
        return self.concluded([member(pixels) for member in self.members])


class PictureMember(nn.Module):
    """One member of a model of pictures: from pixels to log probabilities."""

    def __init__(self, member: Member, network: Network, facts: ClassFacts) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", member.weights)
        self.heads = Heads((get(member.readout.spec.base).head,))
        self.readout = ReadoutGraph(member, facts, member.weights.dtype)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return log probabilities, ``(N, C)``, of several labels ``(N, L, 2)``."""
        weights = self.network.layout.views(self.get_buffer("weights").unsqueeze(0))
        features = Features(pixels=pixels.unsqueeze(0))
        found: Tensor = self.readout(self.network.body(weights, features, heads=self.heads))
        return found


def are_pictures(classifier: Classifier) -> bool:
    """Return whether a model reads pictures."""
    return isinstance(classifier.members[0].encoding, ImageEncoding)


def picture_graph(classifier: Classifier) -> PictureGraph:
    """Return a model of pictures as a module of tensors."""
    members = [
        PictureMember(member, network, classifier.facts(member))
        for member, network in zip(classifier.members, classifier.networks, strict=True)
    ]
    return PictureGraph(classifier, members).eval()


def blank_pictures(classifier: Classifier, n: int = 3) -> Tensor:
    """Return `n` black pictures of the size of a model."""
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
        "classes": list(classifier.task.classes),
        **({"labels": list(classifier.task.names)} if classifier.task.names else {}),
        "target": classifier.task.target,
        **decision_of(classifier),
    }
