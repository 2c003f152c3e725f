"""Writes a model as an ONNX graph from named columns to label and probabilities."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoloss.core.errors import InputError
from autoloss.core.files import replacing
from autoloss.core.task import Label
from autoloss.export.graph_inputs import Category, GraphInputs
from autoloss.export.image_graph import are_pictures
from autoloss.export.torch_program import Traceable
from autoloss.export.vector_graph import are_vectors
from autoloss.inference.classifier import Classifier

_NEEDED = ("onnx", "onnxscript")
_PREFIX = "graph/"
# The first version of ai.onnx.ml with an encoder from text to whole numbers.
_ML_OPSET = 3
_NOTE = (
    "One input per column, (N, 1): numbers as double, NaN where missing; categories as string "
    "without blanks around the text, empty where missing, true and false as 'True' and 'False'; "
    "dates as double, seconds since 1970 in UTC, NaN where missing."
)


def write_onnx(classifier: Classifier, file: Path) -> tuple[Path, ...]:
    """Write a model as an ONNX graph.

    Returns:
        The file.

    Raises:
        InputError: If the model reads free text or has a custom network, or ``onnx`` is
            not installed.
    """
    for name in _NEEDED:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise InputError(
                f"--to onnx must be asked for where {name} is installed: pip install"
                " 'autoloss[onnx]'."
            ) from error
    of_tensors = are_pictures(classifier) or are_vectors(classifier)
    if classifier.task.kind == "sequence" or of_tensors:
        model = _of_tensors(classifier)
    else:
        model = _Assembly(classifier, GraphInputs.of(classifier, "onnx")).model
    with replacing(file) as part:
        part.write_bytes(model.SerializeToString())
    return (file,)


class _Assembly:
    """Adds named columns before the traced graph, and labels after it."""

    def __init__(self, classifier: Classifier, inputs: GraphInputs) -> None:
        import onnx

        self._onnx, self._make = onnx, onnx.helper
        self._inputs = inputs
        core = _translated(Traceable.of(classifier, "onnx"))
        self._core = onnx.compose.add_prefix(core, _PREFIX).graph
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._feed()
        label, task = self._name("label"), classifier.task
        # Of several labels, the code is 1 for each that a row has.
        labels = self._answers(label) if task.names else self._labels(task.classes, label)
        outputs_of_a_row = [len(task.outputs)]
        probabilities = self._name("probabilities")
        traced_probabilities = self._core.output[1].name
        self.nodes.append(
            self._make.make_node("Identity", [traced_probabilities], [probabilities])
        )
        types = onnx.TensorProto
        value = self._make.make_tensor_value_info
        columns = [
            value(
                name,
                types.STRING if name in {c.name for c in inputs.categories} else types.DOUBLE,
                ["N", 1],
            )
            for name in inputs.names
        ]
        outputs = [
            value(label, labels, ["N", *(outputs_of_a_row if task.names else [])]),
            value(probabilities, types.DOUBLE, ["N", *outputs_of_a_row]),
        ]
        front = self.nodes[: self._n_front]
        graph = self._make.make_graph(
            [*front, *self._core.node, *self.nodes[self._n_front :]],
            "autoloss",
            columns,
            outputs,
            [*self._core.initializer, *self.constants],
        )
        opsets = [*core.opset_import, self._make.make_opsetid("ai.onnx.ml", _ML_OPSET)]
        self.model = self._make.make_model(
            graph, opset_imports=opsets, functions=core.functions, ir_version=core.ir_version
        )
        words = {"inputs": _NOTE, **inputs.describe(classifier)}
        self._make.set_model_props(self.model, {"autoloss": json.dumps(words)})
        onnx.checker.check_model(self.model, full_check=True)

    def _feed(self) -> None:
        """Make the three input tensors of the traced graph from the columns."""
        codes = [self._coded(place, one) for place, one in enumerate(self._inputs.categories)]
        parts = (list(self._inputs.numbers), codes, list(self._inputs.dates))
        for part, place, kind in zip(
            parts, self._core.input, (np.float64, np.int64, np.float64), strict=True
        ):
            if part:
                self.nodes.append(self._make.make_node("Concat", part, [place.name], axis=1))
            else:
                self._empty(place.name, kind)
        self._n_front = len(self.nodes)

    def _coded(self, place: int, column: Category) -> str:
        """Turn a column of text into codes; return the name of the tensor."""
        name = f"codes/{place}"
        self.nodes.append(
            self._make.make_node(
                "LabelEncoder",
                [column.name],
                [name],
                domain="ai.onnx.ml",
                keys_strings=[*column.levels, ""],
                values_int64s=[*range(1, len(column.levels) + 1), column.missing],
                default_int64=0,
            )
        )
        return name

    def _empty(self, name: str, kind: type) -> None:
        """Make a tensor without columns, with the rows of the first column."""
        rows, shape = f"{name}/rows", f"{name}/shape"
        zero = self._constant(f"{name}/none", np.zeros(1, np.int64))
        first = self._inputs.names[0]
        value = self._onnx.numpy_helper.from_array(np.zeros(1, kind))
        self.nodes += [
            self._make.make_node("Shape", [first], [rows], start=0, end=1),
            self._make.make_node("Concat", [rows, zero], [shape], axis=0),
            self._make.make_node("ConstantOfShape", [shape], [name], value=value),
        ]

    def _answers(self, name: str) -> int:
        """Return the codes of several labels as they are; return their ONNX type."""
        self.nodes.append(self._make.make_node("Identity", [self._core.output[0].name], [name]))
        return int(self._onnx.TensorProto.INT64)

    def _labels(self, classes: tuple[Label, ...], name: str) -> int:
        """Turn the code of the class into its label; return the ONNX type of the label."""
        types = self._onnx.TensorProto
        if all(isinstance(label, str) for label in classes):
            array, kind = np.array(classes, dtype=object), types.STRING
        else:
            array = np.array(classes)
            kind = self._make.np_dtype_to_tensor_dtype(array.dtype)
        table = self._constant("classes/table", array)
        code = self._core.output[0].name
        self.nodes.append(self._make.make_node("Gather", [table, code], [name], axis=0))
        return int(kind)

    def _constant(self, name: str, array: Any) -> str:
        self.constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def _name(self, name: str) -> str:
        """Return a name of an output that no column has."""
        while name in self._inputs.names:
            name += "_"
        return name


def _of_tensors(classifier: Classifier) -> Any:
    """Return a model of sequences, images or vectors, with an input for each tensor."""
    import onnx

    traceable = Traceable.of(classifier, "onnx")
    words = traceable.words
    core = _translated(traceable, inputs=list(words["inputs"]), outputs=list(words["outputs"]))
    onnx.helper.set_model_props(core, {"autoloss": json.dumps(traceable.words)})
    onnx.checker.check_model(core, full_check=True)
    return core


def _translated(
    traceable: Traceable, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> Any:
    """Return the traced model in ONNX's operators, a function of tensors.

    Args:
        traceable: The model.
        inputs: Names of the tensors; the tracer's by default.
        outputs: Names of the results.
    """
    import torch

    program = traceable.program
    # The exporter prints its steps on standard output, and logs missing packages.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), _quiet():
        warnings.simplefilter("ignore")
        translated = torch.onnx.export(
            program, dynamo=True, verbose=False, input_names=inputs, output_names=outputs
        )
    return translated.model_proto  # type: ignore[union-attr]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep everything but errors out of the exporter's logs."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
