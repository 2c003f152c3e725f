"""Writes a model of sequences as Python code that does not need autoloss."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoloss.core.templates import code_templates
from autoloss.data.sequences import encode
from autoloss.data.sequences.encode import SequenceEncoding, TokenNumbers
from autoloss.export.literals import Weights, literal, log_shares, plain
from autoloss.export.model_parts import decision_of, token_networks
from autoloss.export.readout_code import ReadoutCode
from autoloss.inference.classifier import Classifier
from autoloss.losses import get
from autoloss.metrics import decoding
from autoloss.metrics.entities import allowed_transitions
from autoloss.models import TokenNetwork

_HELPERS = ("_form", "_has_digit", "_grams", "_shape")
_DECODING = ("allowed_tags", "_viterbi")
_TRANSITIONS = '''def _transitions(names: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return which tags may begin a sequence, and which may follow each."""
    return STARTS, ALLOWED'''
_TYPES = {
    "NDArray[np.float32]": "np.ndarray",
    "NDArray[np.floating]": "np.ndarray",
    "NDArray[np.bool_]": "np.ndarray",
    "IntArray": "np.ndarray",
    "tuple[str, ...]": "Any",
}


def tagger_source(classifier: Classifier, file: Path, weights: Weights) -> str:
    """Return the code of a model of sequences.

    Args:
        classifier: The model.
        file: The file of the code.
        weights: The file of its weights.

    Raises:
        InputError: If the model has a custom network, or its loss has no source.
    """
    networks = token_networks(classifier, "code")
    readouts, decision = ReadoutCode(classifier), decision_of(classifier)
    encodings: list[SequenceEncoding] = list(classifier.encodings)
    names = [feature.name for one in encodings for feature in one.features]
    constrained, count = classifier.task.constrained, len(classifier.members)
    starts, allowed = (
        allowed_transitions(classifier.task.tags) if constrained else (np.zeros(0), np.zeros(0))
    )
    rule = "the likeliest allowed tag" if constrained else decision["rule"]
    return (
        code_templates("autoloss.export")
        .get_template("tagger.py.j2")
        .render(
            target=plain(classifier.task.target),
            version=version("autoloss"),
            weights=plain(weights.name),
            weights_name=repr(weights.name),
            weights_sha256=repr(weights.sha256),
            stem=plain(file.stem),
            letters=all(one.letters for one in encodings),
            rule=rule,
            n_members=f"{count} training runs" if count > 1 else "one training run",
            columns=literal(list(dict.fromkeys([encodings[0].tokens.tokens, *names]))),
            classes=literal(list(classifier.task.classes)),
            decision=repr(decision["decision"]),
            normalise=classifier.config.normalise,
            depth=classifier.config.depth,
            encodings=literal([_state(one) for one in encodings]),
            members=literal(_members(classifier, networks, readouts)),
            log_shares=literal(log_shares(classifier)),
            temperature=repr(classifier.temperature),
            buckets=encode.BUCKETS,
            grams=encode.GRAMS,
            shapes=encode.SHAPES,
            constrained=constrained,
            starts=literal(starts.tolist()),
            allowed=literal(allowed.tolist()),
            helpers=_helpers(constrained),
            readouts=readouts.text,
        )
    )


def tagger_tensors(classifier: Classifier) -> dict[str, Tensor]:
    """Return the tensors that the code loads, by name."""
    found: dict[str, Tensor] = {}
    networks = token_networks(classifier, "code")
    for number, (member, network) in enumerate(zip(classifier.members, networks, strict=True)):
        views = network.layout.views(member.weights.unsqueeze(0))
        found |= {f"member.{number}.{name}": view[0] for name, view in views.items()}
        found[f"member.{number}.class_counts"] = torch.as_tensor(member.class_counts)
    if classifier.cost_matrix is not None:
        found["cost_matrix"] = classifier.cost_matrix
    return {name: one.clone().contiguous() for name, one in found.items()}


def _state(encoding: SequenceEncoding) -> dict[str, Any]:
    """Return the facts of an encoding that the code needs."""
    features: list[dict[str, Any]] = []
    for one in encoding.features:
        if isinstance(one, TokenNumbers):
            features.append({"name": one.name, "mean": one.mean, "scale": one.scale})
        else:
            features.append({"name": one.name, "levels": list(one.levels)})
    return {"letters": encoding.letters, "forms": list(encoding.forms), "features": features}


def _members(
    classifier: Classifier, networks: tuple[TokenNetwork, ...], readouts: ReadoutCode
) -> list[dict[str, Any]]:
    """Return the facts of every member that the code needs besides its tensors."""
    places = {id(encoding): place for place, encoding in enumerate(classifier.encodings)}
    return [
        {
            "encoding": places[id(member.encoding)],
            "head": get(member.readout.spec.base).head,
            "readout": readouts.places[number],
            "inverse_temperature": member.readout.inverse_temperature,
            "mix": member.readout.mix,
            "width": network.shape.width,
        }
        for number, (member, network) in enumerate(zip(classifier.members, networks, strict=True))
    ]


def _helpers(constrained: bool) -> str:
    """Return the source of the functions that read tokens and decode."""
    blocks = [inspect.getsource(getattr(encode, name)).rstrip() for name in _HELPERS]
    if constrained:
        blocks.append(_TRANSITIONS)
        blocks += [inspect.getsource(getattr(decoding, name)).rstrip() for name in _DECODING]
    helpers = "\n\n\n".join(blocks)
    for ours, other in _TYPES.items():
        helpers = helpers.replace(ours, other)
    return helpers
