"""Writes a model as a torch program: a ``.pt2`` file that needs torch alone."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoloss.core.files import replacing
from autoloss.export.graph import ModelGraph
from autoloss.export.graph_inputs import GraphInputs
from autoloss.export.model_parts import table_networks
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


def write_program(classifier: Classifier, file: Path) -> tuple[Path, ...]:
    """Write a model as a torch program, and its tables of codes as JSON of the same name.

    Returns:
        The files.

    Raises:
        InputError: If the model reads free text, or has a network of the user's own.
    """
    inputs = GraphInputs.of(classifier, "torch")
    program = traced(classifier, inputs, "torch")
    words = {
        "inputs": _FORMATS,
        "outputs": _LABELS if classifier.task.names else _CLASSES,
        **inputs.describe(classifier),
    }
    text = json.dumps(words, indent=1, ensure_ascii=False)
    tables = file.with_suffix(".json")
    with replacing(file) as part, replacing(tables) as description:
        with part.open("wb") as opened:
            torch.export.save(program, opened, extra_files={DESCRIPTION: text})
        description.write_text(text, encoding="utf-8")
    return file, tables


def traced(classifier: Classifier, inputs: GraphInputs, form: str) -> Any:
    """Return a model as a torch program for any number of rows."""
    graph = ModelGraph(classifier, table_networks(classifier, form), inputs).eval()
    examples = example_tensors(inputs)
    rows = torch.export.Dim("rows", min=1)
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns about torch's own code.
        warnings.simplefilter("ignore")
        # A first run fills the caches of networks and losses.
        graph(*examples)
        return torch.export.export(graph, examples, dynamic_shapes=({0: rows},) * 3)


def example_tensors(inputs: GraphInputs, n: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Return `n` rows of zeros in the shapes of the inputs."""
    return (
        torch.zeros(n, len(inputs.numbers), dtype=torch.float64),
        torch.zeros(n, len(inputs.categories), dtype=torch.int64),
        torch.zeros(n, len(inputs.dates), dtype=torch.float64),
    )
