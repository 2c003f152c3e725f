"""A model as one torch module of its network's inputs: pixels, or the vectors of features."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from autoloss.export.graph import ReadoutGraph
from autoloss.export.model_parts import decision_of
from autoloss.inference.classifier import Classifier
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts, get
from autoloss.models import Features, Heads, Network


class NetworkMember(nn.Module):
    """One member of a model: from its network's inputs to log probabilities."""

    def __init__(self, member: Member, network: Network, facts: ClassFacts) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", member.weights)
        self.heads = Heads((get(member.readout.spec.base).head,))
        self.readout = ReadoutGraph(member, facts, member.weights.dtype)

    def features(self, rows: Tensor) -> Features:
        """Return the features of a batch of rows."""
        raise NotImplementedError

    def forward(self, rows: Tensor) -> Tensor:
        """Return log probabilities, ``(N, C)``, of several labels ``(N, L, 2)``."""
        weights = self.network.layout.views(self.get_buffer("weights").unsqueeze(0))
        logits = self.network.body(weights, self.features(rows), heads=self.heads)
        found: Tensor = self.readout(logits)
        return found


def members_of(classifier: Classifier, of: type[NetworkMember]) -> list[NetworkMember]:
    """Return the members of a model as modules of a kind."""
    return [
        of(member, network, classifier.facts(member))
        for member, network in zip(classifier.members, classifier.networks, strict=True)
    ]


def answer_words(classifier: Classifier) -> dict[str, Any]:
    """Return the description of classes and decision, for JSON."""
    task = classifier.task
    return {
        "classes": list(task.classes),
        **({"labels": list(task.names)} if task.names else {}),
        "target": task.target,
        **decision_of(classifier),
    }
