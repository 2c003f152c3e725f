"""Writes a model as a torch program: a ``.pt2`` file that needs torch alone."""

from __future__ import annotations

import hashlib
import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.core.errors import InputError
from autoloss.core.files import replacing
from autoloss.export.graph import MemberGraph, ModelGraph
from autoloss.export.graph_inputs import GraphInputs
from autoloss.export.image_graph import (
    are_pictures,
    blank_pictures,
    picture_graph,
    picture_words,
)
from autoloss.export.model_parts import table_networks, token_networks
from autoloss.export.tag_graph import TagGraph, TagMember
from autoloss.export.tag_inputs import TagInputs
from autoloss.export.vector_graph import (
    are_vectors,
    blank_vectors,
    vector_graph,
    vector_words,
)
from autoloss.inference.classifier import Classifier

DESCRIPTION = "autoloss.json"
_CLASSES = {"code": "int64 (N,), index in the classes", "probabilities": "(N, C)"}
_LABELS = {
    "code": "int64 (N, L), 1 for each of the labels that a row has, else 0",
    "probabilities": "(N, L), of each of the labels",
}
_FORMATS = {
    "numbers": "float64 (N, number of columns), in this order, NaN where missing",
    "codes": "int64 (N, number of categories), in this order, by the tables of levels",
    "seconds": "float64 (N, number of dates): seconds since 1970 in UTC, NaN where missing",
}


@dataclass(frozen=True)
class Traceable:
    """A model as a module of tensors.

    Args:
        graph: The module.
        examples: Its arguments for a few rows or tokens, whose first axis may have any length.
        words: The description of arguments and outputs, for JSON.
    """

    graph: nn.Module
    examples: tuple[Tensor, ...]
    words: dict[str, Any]

    @classmethod
    def of(cls, classifier: Classifier, form: str) -> Traceable:
        """Return a model of tables, of sequences, of images or of frozen features.

        Raises:
            InputError: If no graph can read the columns or make the decision.
        """
        if classifier.task.kind == "sequence":
            return cls._of_sequences(classifier, form)
        outputs = _LABELS if classifier.task.names else _CLASSES
        if are_pictures(classifier):
            described = {**picture_words(classifier), "outputs": outputs}
            return cls(picture_graph(classifier), (blank_pictures(classifier),), described)
        if are_vectors(classifier):
            described = {**vector_words(classifier), "outputs": outputs}
            return cls(vector_graph(classifier), (blank_vectors(classifier),), described)
        inputs = GraphInputs.of(classifier, form)
        words = {"inputs": _FORMATS, "outputs": outputs, **inputs.describe(classifier)}
        return cls(table_graph(classifier, inputs, form), example_tensors(inputs), words)

    @classmethod
    def _of_sequences(cls, classifier: Classifier, form: str) -> Traceable:
        if classifier.task.constrained:
            raise InputError(
                f"--to {form} must be asked for a model that decides for each token alone, but"
                " this model is constrained; use --to code or --to mlflow."
            )
        inputs = TagInputs.of(classifier, form)
        networks = token_networks(classifier, form)
        members = [
            TagMember(member, network, inputs, classifier.facts(member))
            for member, network in zip(classifier.members, networks, strict=True)
        ]
        double, count = torch.float64, 3
        examples = (
            torch.zeros(count, dtype=torch.int64),
            torch.zeros(count, inputs.word_width, dtype=double),
            torch.zeros(count, len(inputs.numbers), dtype=double),
            torch.zeros(count, len(inputs.levels), dtype=torch.int64),
            torch.zeros(count, 2, dtype=torch.int64),
        )
        graph = TagGraph(classifier, members).eval()
        return cls(graph, examples, inputs.describe(classifier))

    @property
    def program(self) -> Any:
        """Return the torch program for any number of rows or tokens."""
        rows = torch.export.Dim("rows", min=1)
        with torch.no_grad(), warnings.catch_warnings():
            # Tracing warns about torch's own code.
            warnings.simplefilter("ignore")
            # A first run fills the caches of networks and losses.
            self.graph(*self.examples)
            return torch.export.export(
                self.graph, self.examples, dynamic_shapes=({0: rows},) * len(self.examples)
            )


def write_program(classifier: Classifier, file: Path) -> tuple[Path, ...]:
    """Write a model as a torch program, and its tables of codes as JSON of the same name.

    The JSON has the SHA-256 of the program, because a kill may leave one file of two exports each.

    Returns:
        The files.

    Raises:
        InputError: If the model reads free text, has a custom network, or is
            constrained.
    """
    traceable = Traceable.of(classifier, "torch")
    program = traceable.program
    tables = file.with_suffix(".json")
    with replacing(file) as part, replacing(tables) as description:
        # In memory first: on a full disk torch would end the process.
        content = io.BytesIO()
        torch.export.save(program, content, extra_files={DESCRIPTION: _json(traceable.words)})
        part.write_bytes(content.getbuffer())
        digest = {"sha256": hashlib.sha256(content.getbuffer()).hexdigest()}
        description.write_text(_json({**digest, **traceable.words}), encoding="utf-8")
    return file, tables


def _json(words: dict[str, Any]) -> str:
    """Return a description as JSON."""
    return json.dumps(words, indent=1, ensure_ascii=False)


def table_graph(classifier: Classifier, inputs: GraphInputs, form: str) -> ModelGraph:
    """Return a model of tables as a module of tensors."""
    members = [
        MemberGraph(member, network, inputs, classifier.facts(member))
        for member, network in zip(
            classifier.members, table_networks(classifier, form), strict=True
        )
    ]
    return ModelGraph(classifier, members).eval()


def example_tensors(inputs: GraphInputs, n: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Return `n` rows of zeros in the shapes of the inputs."""
    return (
        torch.zeros(n, len(inputs.numbers), dtype=torch.float64),
        torch.zeros(n, len(inputs.categories), dtype=torch.int64),
        torch.zeros(n, len(inputs.dates), dtype=torch.float64),
    )
