"""The trained model that a search ships: encoding, network, read-out, as safetensors and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from autoloss.data import TableEncoding, TableInputs, read_table
from autoloss.errors import InputError
from autoloss.losses import ClassFacts, get, names
from autoloss.losses.own import Losses, take_in
from autoloss.metrics import balanced_scores
from autoloss.models import Heads, TableNetwork
from autoloss.readout import Readout
from autoloss.settings import NetworkConfig
from autoloss.task import Task

FORMAT_VERSION = 1
CHUNK_ROWS = 8192
CONFIG, WEIGHTS = "config.json", "weights.safetensors"

Decision = Literal["error", "balanced_error"]
Table = pd.DataFrame | str | Path


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained classifier whose probabilities are calibrated by the read-out of its loss.

    Args:
        task: The kind of label and its classes.
        encoding: How a table becomes numbers.
        config: The network.
        weights: Its weights.
        readout: The map from logits to probabilities.
        class_counts: Training rows of each class.
        decision: What `predict` minimises: the error (the likeliest class) or the balanced error
            (the class whose probability is highest relative to its share of the training rows).
        class_weights: Class weights that were given for the training, None where none.
        class_similarity: Likeness of the classes that was given, None where none.

    Shape:
        - weights: ``(P,)``
        - class_counts and class_weights: ``(C,)``
        - class_similarity: ``(C, C)``
    """

    task: Task
    encoding: TableEncoding
    config: NetworkConfig
    weights: Tensor
    readout: Readout
    class_counts: Tensor
    decision: Decision = "error"
    class_weights: Tensor | None = None
    class_similarity: Tensor | None = None

    @property
    def classes(self) -> NDArray[Any]:
        """Return the labels in the order of the columns of `predict_proba`."""
        return np.array(self.task.classes)

    def logits(self, data: Table) -> Tensor:
        """Return the network's raw scores, ``(N, C)``."""
        return self.encoded_logits(self.encoding.transform(read_table(data)))

    @torch.no_grad()
    def encoded_logits(self, inputs: TableInputs) -> Tensor:
        """Return the raw scores of rows that are encoded already, ``(N, C)``."""
        network = TableNetwork(self.encoding.schema, self.task.n_classes, self.config)
        weights = network.layout.views(self.weights.unsqueeze(0))
        heads = Heads((get(self.readout.spec.base).head,))
        chunks = [
            network.body(weights, network.encode(inputs.take(rows.unsqueeze(0))), heads=heads)[0]
            for rows in torch.split(torch.arange(len(inputs)), CHUNK_ROWS)
        ]
        return torch.cat(chunks) if chunks else torch.empty(0, self.task.n_classes)

    def predict_proba(self, data: Table) -> NDArray[np.float64]:
        """Return calibrated probabilities.

        Args:
            data: Rows with the columns that the model was trained on; others are ignored.

        Returns:
            One row an example, one column a class in the order of `classes`; rows sum to 1.

        Raises:
            InputError: Columns are missing.

        Shape:
            - output: ``(N, C)``
        """
        facts = ClassFacts(
            self.class_counts, weights=self.class_weights, similarity=self.class_similarity
        )
        log_probs = self.readout.log_probs(self.logits(data), facts)
        return log_probs.double().softmax(-1).numpy()

    def predict(self, data: Table) -> NDArray[Any]:
        """Return each row's label, the decision that suits the metric of the search, ``(N,)``."""
        return self.classes[self.decisions(self.predict_proba(data))]

    def decisions(self, probs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the code of the class that `predict` names, from probabilities ``(N, C)``."""
        scores = torch.from_numpy(probs)
        if self.decision == "balanced_error":
            scores = balanced_scores(scores.log(), self.class_counts)
        codes: NDArray[np.int64] = scores.argmax(1).numpy()
        return codes

    def decide(self, data: Table, cost_matrix: ArrayLike) -> NDArray[Any]:
        """Return the label of least expected cost of each row.

        Args:
            data: Rows, as in `predict_proba`.
            cost_matrix: Cost of deciding for a class (column) where another is true (row), both in
                the order of `classes`; any unit.

        Raises:
            InputError: The matrix has another shape, or numbers that are not finite.

        Shape:
            - cost_matrix: ``(C, C)``
            - output: ``(N,)``
        """
        costs = np.asarray(cost_matrix, dtype=np.float64)
        n_classes = self.task.n_classes
        if costs.shape != (n_classes, n_classes) or not np.isfinite(costs).all():
            raise InputError(
                f"cost_matrix must hold finite numbers of shape ({n_classes}, {n_classes}), "
                f"but got {costs.shape=}."
            )
        codes: NDArray[np.int64] = (self.predict_proba(data) @ costs).argmin(1)
        return self.classes[codes]

    def save(self, folder: str | Path) -> Path:
        """Write the model as ``weights.safetensors`` and ``config.json``; return the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        state, tensors = self.encoding.to_state()
        named = {f"encoding.{name}": tensor.contiguous() for name, tensor in tensors.items()}
        network = {"network": self.weights.contiguous(), "class_counts": self.class_counts}
        given = {"class_weights": self.class_weights, "class_similarity": self.class_similarity}
        network |= {name: one.contiguous() for name, one in given.items() if one is not None}
        save_file({**named, **network}, folder / WEIGHTS)
        config = {
            "format_version": FORMAT_VERSION,
            "task": asdict(self.task),
            "network": asdict(self.config),
            "encoding": state,
            "readout": self.readout.to_dict(),
            "decision": self.decision,
        }
        text = json.dumps(config, indent=1, allow_nan=False)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        return folder


def load(folder: str | Path, *, losses: Losses | None = None) -> Classifier:
    """Read a model that `Classifier.save` wrote; no code of its files is run.

    Args:
        folder: The model's folder, or a study's folder that has it under ``model``.
        losses: Losses of your own, where the model was trained by one: made with
            `autoloss.losses.declare`, or paths of Python files that declare some, which are run.

    Raises:
        InputError: There is no model, it was written by a newer version, or its loss is not known.
    """
    take_in(losses)
    path = _model_folder(Path(folder))
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(path / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{path} must hold a model that autoloss saved, but {error}.") from error
    version = config.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path / CONFIG} must have format_version {FORMAT_VERSION}, but got {version}: "
            "install the version of autoloss that wrote it."
        )
    base = config["readout"]["spec"]["base"]
    if base not in names():
        raise InputError(
            f"{path} must be loaded with the loss that it was trained by, but {base!r} is not "
            "known: give the file that declares it by losses= or --losses FILE."
        )
    prefix = "encoding."
    encoding = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    task = config["task"]
    return Classifier(
        task=Task(kind=task["kind"], classes=tuple(task["classes"]), target=task["target"]),
        encoding=TableEncoding.from_state(config["encoding"], encoding),
        config=NetworkConfig(**config["network"]),
        weights=tensors["network"],
        readout=Readout.from_dict(config["readout"]),
        class_counts=tensors["class_counts"],
        decision=config["decision"],
        class_weights=tensors.get("class_weights"),
        class_similarity=tensors.get("class_similarity"),
    )


def _model_folder(folder: Path) -> Path:
    """Return the folder itself or its ``model`` folder, whichever holds a model."""
    places: Sequence[Path] = (folder, folder / "model")
    for place in places:
        if (place / CONFIG).is_file():
            return place
    raise InputError(
        f"{folder} must be a model's folder with {CONFIG} in it, but it has none: give the folder "
        "that the search wrote, reports/NAME/model."
    )
