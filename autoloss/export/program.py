"""A model as a program of torch: a ``.pt2`` file that needs torch alone."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoloss.core.files import replacing
from autoloss.export.graph import ModelGraph
from autoloss.export.kind import table_networks
from autoloss.export.plan import GraphInputs
from autoloss.inference.classifier import Classifier

DESCRIPTION = "autoloss.json"
_FORMATS = {
    "numbers": "float64 (N, number of them), in this order, NaN where missing",
    "codes": "int64 (N, number of categories), in this order, by the tables of levels",
    "seconds": "float64 (N, number of dates): seconds since 1970 in UTC, NaN where missing",
}


def write_program(classifier: Classifier, file: Path) -> tuple[Path, ...]:
    """Write a model as a torch program, and beside it what its codes stand for, as JSON.

    Returns:
        The files.

    Raises:
        InputError: The model reads free text, or has a network of another kind.
    """
    inputs = GraphInputs.of(classifier, "torch")
    program = traced(classifier, inputs, "torch")
    words = {
        "inputs": _FORMATS,
        "outputs": {"code": "int64 (N,), place among the classes", "probabilities": "(N, C)"},
        **inputs.describe(classifier),
    }
    text = json.dumps(words, indent=1, ensure_ascii=False)
    beside = file.with_suffix(".json")
    with replacing(file) as part, replacing(beside) as description:
        with part.open("wb") as opened:
            torch.export.save(program, opened, extra_files={DESCRIPTION: text})
        description.write_text(text, encoding="utf-8")
    return file, beside


def traced(classifier: Classifier, inputs: GraphInputs, form: str) -> Any:
    """Return a model as a program of torch that takes any number of rows."""
    graph = ModelGraph(classifier, table_networks(classifier, form), inputs).eval()
    examples = example_tensors(inputs)
    rows = torch.export.Dim("rows", min=1)
    with torch.no_grad(), warnings.catch_warnings():
        # What torch says of its own parts is of no use here.
        warnings.simplefilter("ignore")
        # A first run makes what networks and losses make once.
        graph(*examples)
        return torch.export.export(graph, examples, dynamic_shapes=({0: rows},) * 3)


def example_tensors(inputs: GraphInputs, n: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs of the right shapes."""
    return (
        torch.zeros(n, len(inputs.numbers), dtype=torch.float64),
        torch.zeros(n, len(inputs.categories), dtype=torch.int64),
        torch.zeros(n, len(inputs.dates), dtype=torch.float64),
    )
