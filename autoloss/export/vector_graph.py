"""A model of frozen features as one torch module: from vectors to decision and probabilities."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.export.graph import ModelGraph
from autoloss.export.network_graph import NetworkMember, answer_words, members_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts
from autoloss.models import Features, Network


class VectorGraph(ModelGraph):
    """A model of frozen features as a function of vectors.

    Shape:
        - vectors: ``(N, D)``, float32
        - output: as of `ModelGraph`
    """

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return decisions and probabilities."""
        return self.concluded([member(vectors) for member in self.members])


class VectorMember(NetworkMember):
    """One member of a model of frozen features: from vectors to log probabilities."""

    def __init__(self, member: Member, network: Network, facts: ClassFacts) -> None:
        super().__init__(member, network, facts)
        self.register_buffer("mean", member.encoding.mean)
        self.register_buffer("scale", member.encoding.scale)

    def features(self, rows: Tensor) -> Features:
        """Return the features of a table without columns, whose rows have these vectors."""
        standard = ((rows - self.get_buffer("mean")) / self.get_buffer("scale")).unsqueeze(0)
        none = standard[..., :0]
        return self.network.encode(
            SimpleNamespace(numeric=none, categories=none.long(), vectors=standard)
        )


def are_vectors(classifier: Classifier) -> bool:
    """Return whether a model reads frozen features."""
    return isinstance(classifier.members[0].encoding, FrozenEncoding)


def vector_graph(classifier: Classifier) -> VectorGraph:
    """Return a model of frozen features as a module of tensors."""
    return VectorGraph(classifier, members_of(classifier, VectorMember)).eval()


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
        **answer_words(classifier),
    }
