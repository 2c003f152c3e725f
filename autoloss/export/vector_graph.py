"""A model of frozen features as one torch module: from vectors to decision and probabilities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.export.graph import ModelGraph, ReadoutGraph
from autoloss.export.model_parts import decision_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts, get
from autoloss.models import Heads, Network


class VectorGraph(ModelGraph):
    """A model of frozen features as a function of vectors.

    Shape:
        - vectors: ``(N, D)``, float32
        - output: as of `ModelGraph`
    """

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return decisions and probabilities."""
        return self.concluded([member(vectors) for member in self.members])


class VectorMember(nn.Module):
    """One member of a model of frozen features: from vectors to log probabilities."""

    def __init__(self, member: Member, network: Network, facts: ClassFacts) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", member.weights)
        self.register_buffer("mean", member.encoding.mean)
        self.register_buffer("scale", member.encoding.scale)
        self.heads = Heads((get(member.readout.spec.base).head,))
        self.readout = ReadoutGraph(member, facts, member.weights.dtype)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return log probabilities, ``(N, C)``, of several labels ``(N, L, 2)``."""
        standard = ((vectors - self.get_buffer("mean")) / self.get_buffer("scale")).unsqueeze(0)
        none = standard[..., :0]
        rows = SimpleNamespace(numeric=none, categories=none.long(), vectors=standard)
        weights = self.network.layout.views(self.get_buffer("weights").unsqueeze(0))
        logits = self.network.body(weights, self.network.encode(rows), heads=self.heads)
        found: Tensor = self.readout(logits)
        return found


def are_vectors(classifier: Classifier) -> bool:
    """Return whether a model reads frozen features."""
    return isinstance(classifier.members[0].encoding, FrozenEncoding)


def vector_graph(classifier: Classifier) -> VectorGraph:
    """Return a model of frozen features as a module of tensors."""
    members = [
        VectorMember(member, network, classifier.facts(member))
        for member, network in zip(classifier.members, classifier.networks, strict=True)
    ]
    return VectorGraph(classifier, members).eval()


def blank_vectors(classifier: Classifier, n: int = 3) -> Tensor:
    """Return `n` vectors of zeros of the width of a model."""
    return torch.zeros(n, len(classifier.members[0].encoding.mean))


def vector_words(classifier: Classifier) -> dict[str, Any]:
    """Return the description of vectors, classes and decision, for JSON."""
    encoding = classifier.members[0].encoding
    width = len(encoding.mean)
    return {
        "inputs": {"vectors": f"float32 (N, {width}): the vectors of {encoding.reference}"},
        "features": encoding.reference,
        "sha256": encoding.sha256,
        "width": width,
        "classes": list(classifier.task.classes),
        **({"labels": list(classifier.task.names)} if classifier.task.names else {}),
        "target": classifier.task.target,
        **decision_of(classifier),
    }
