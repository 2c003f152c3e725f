"""Checks that the parts of a loaded model fit together, before anything is computed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoloss.data.input_kinds import kind_of_encoding
from autoloss.inference.classifier import Classifier
from autoloss.inference.deciding import rejects

_DECISIONS = ("error", "balanced_error", "expected_cost")
_KINDS = ("binary", "multiclass", "multilabel", "sequence")
# No search makes wider layers; the product of larger widths could overflow the memory.
_WIDEST = 1 << 20


def check_fit(classifier: Classifier) -> None:
    """Check the shapes and types of a model's parts against each other.

    Raises:
        ValueError: Two parts do not fit.
    """
    task, config = classifier.task, classifier.config
    n = len(task.classes)
    _must(task.kind in _KINDS and n >= 2 and (not task.is_yes_or_no or n == 2), "classes")
    _must((task.kind == "multilabel") == (len(task.names) > 0), "labels")
    _must(all(isinstance(name, str) for name in task.names), "labels")
    counted = (len(task.names), n) if task.names else (n,)
    _must(all(isinstance(label, str | int | float) for label in task.classes), "classes")
    _must(classifier.decision in _DECISIONS, "decision")
    _must(isinstance(task.target, str), "target")
    _must(len(classifier.members) > 0, "members")
    _must(_is_positive(classifier.temperature), "temperature")
    sizes = (config.width, config.depth, config.bins, config.embedding, config.text_width)
    _must(all(isinstance(size, int) and 0 <= size <= _WIDEST for size in sizes), "network")
    width = n + rejects(task, classifier.cost_matrix)
    _shape(classifier.cost_matrix, (n, width), "cost_matrix")
    _must(classifier.decision != "expected_cost" or classifier.cost_matrix is not None, "costs")
    _shape(classifier.class_weights, counted, "class_weights")
    _shape(classifier.class_similarity, (n, n), "class_similarity")
    _shape(classifier.thresholds, (len(task.names),), "thresholds")
    _must(0 <= classifier.labels_each <= len(task.names), "labels_each")
    if classifier.strangers is not None:
        familiar = classifier.strangers.familiar
        _must(str(classifier.strangers.score) in familiar, "strangers")
        _must(all(_is_ascending(one) for one in familiar.values()), "strangers")
    for member in classifier.members:
        _must(_is_positive(member.weight), "weight")
        own = member.readout.of_labels
        _must(len(own) in (0, len(task.names)), "temperatures")
        _must(all(map(_is_positive, own)), "temperatures")
        kind = kind_of_encoding(member.encoding)
        _must((task.kind == "sequence") == kind.of_tokens, "task")
        _must(kind is kind_of_encoding(classifier.members[0].encoding), "encodings")
        member.encoding.check()
        _shape(member.class_counts, counted, "class_counts")
    for member, network in zip(classifier.members, classifier.networks, strict=True):
        _shape(member.weights, (network.layout.size,), "weights")
        _must(member.weights.dtype == torch.float32, "type of weights")


def _shape(tensor: Tensor | None, shape: tuple[int, ...], name: str) -> None:
    if tensor is not None and tuple(tensor.shape) != shape:
        raise ValueError(f"{name} has shape {tuple(tensor.shape)} instead of {shape}")


def _is_positive(number: float) -> bool:
    return math.isfinite(number) and number > 0.0


def _is_ascending(scores: Tensor) -> bool:
    return scores.ndim == 1 and len(scores) > 0 and bool((scores.diff() >= 0).all())


def _must(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"{name} cannot be")
