"""The trained model that ships: encoding, network and read-out, in safetensors and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from autoloss.core.display import Card, Shown
from autoloss.core.errors import InputError
from autoloss.core.settings import NetworkConfig
from autoloss.core.task import Task
from autoloss.data import TableEncoding, TableInputs
from autoloss.data.costs import Costs, cost_array
from autoloss.data.messages import one_line
from autoloss.inference.entrance import Table, encoded_rows
from autoloss.inference.fitting import check_fit
from autoloss.inference.inputs import example_of
from autoloss.inference.model_folder import below, check_losses, model_folder
from autoloss.losses import ClassFacts, get
from autoloss.losses.own import Losses, take_in
from autoloss.metrics import balanced_scores, cost_decisions
from autoloss.models import Heads, Network, OwnModel, networks_for
from autoloss.models.custom.own import Model, open_model
from autoloss.models.custom.shipped import absent, check_network, shapes_of, shipped
from autoloss.readout import Readout
from autoloss.records import TrialRecord

FORMAT_VERSION = 2
OWN_VERSION = 3
"""The format version of a model with the user's own network."""
CHUNK_ROWS = 8192
CONFIG, WEIGHTS, EXAMPLE = "config.json", "weights.safetensors", "input_example.json"

_GIVEN = ("cost_matrix", "class_weights", "class_similarity")

Decision = Literal["error", "balanced_error", "expected_cost"]


@dataclass(frozen=True, eq=False)
class Member:
    """One training of a classifier: its weights, and the encoding and read-out of its rows.

    Args:
        encoding: The encoding of tables.
        weights: The weights.
        readout: The map from logits to probabilities.
        class_counts: Training rows of each class.

    Shape:
        - weights: ``(P,)``
        - class_counts: ``(C,)``
    """

    encoding: TableEncoding
    weights: Tensor
    readout: Readout
    class_counts: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Classifier(Shown):
    """A trained classifier: the mean of the calibrated probabilities of its members.

    The members are trainings of the same loss on fresh seeds and divisions of the rows. Each has
    its own read-out, which calibrates it.

    Args:
        task: The kind of label and its classes.
        config: The built-in network.
        members: The trainings, one or more.
        decision: The quantity that `predict` minimises: the error (the likeliest class), the
            balanced error (the class whose probability is highest relative to its share of the
            training rows) or the expected cost.
        cost_matrix: Cost of each decision (column) for each true class (row), for the expected
            cost; None if none was given.
        class_weights: Class weights of the training; None if none were given.
        class_similarity: Similarity of the classes; None if none was given.
        model: The user's own network; None for the built-in network.

    Shape:
        - class_weights: ``(C,)``
        - cost_matrix and class_similarity: ``(C, C)``
    """

    task: Task
    config: NetworkConfig
    members: tuple[Member, ...]
    decision: Decision = "error"
    cost_matrix: Tensor | None = None
    class_weights: Tensor | None = None
    class_similarity: Tensor | None = None
    model: OwnModel | None = None

    def _card(self) -> Card:
        first = self.members[0]
        columns = sum(not kind.startswith("left out") for _, kind in first.encoding.kinds)
        trained = "training" if len(self.members) == 1 else "trainings"
        classes = list(map(str, self.task.classes[:5]))
        more = [f"{self.task.n_classes - 5} more"] if self.task.n_classes > 5 else []
        network = "built in" if self.model is None else self.model.name
        pairs = (
            ("target", f"{self.task.target} ({self.task.kind}: {', '.join([*classes, *more])})"),
            ("loss", TrialRecord(0, "complete", first.readout.spec.to_dict(), {}).label),
            ("network", f"{network}, the mean of {len(self.members)} {trained}"),
            ("columns", str(columns)),
            ("decides by", self.decision.replace("_", " ")),
        )
        return Card("Classifier", pairs)

    @property
    def classes(self) -> NDArray[Any]:
        """Return the labels in the order of the columns of `predict_proba`."""
        return self.task.labels

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, the mean over the members, ``(C,)``."""
        return torch.stack([member.class_counts.double() for member in self.members]).mean(0)

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Return the network of every member; all have the same shape."""
        schemas = [member.encoding.schema for member in self.members]
        return networks_for(schemas, self.task.n_classes, self.config, self.model)

    @property
    def encodings(self) -> tuple[TableEncoding, ...]:
        """Return the distinct encodings; members may share them."""
        return tuple({id(member.encoding): member.encoding for member in self.members}.values())

    def logits(self, data: Table, *, force: bool = False) -> Tensor:
        """Return the raw scores of every member, ``(R, N, C)``; see `predict_proba`."""
        rows = self.by_member(encoded_rows(self.encodings, data, force=force))
        return torch.stack([self._logits(place, one) for place, one in enumerate(rows)]).float()

    def by_member(self, encoded: Sequence[TableInputs]) -> list[TableInputs]:
        """Return the rows for every member, from the rows of each distinct encoding."""
        own = dict(zip(map(id, self.encodings), encoded, strict=True))
        return [own[id(member.encoding)] for member in self.members]

    @torch.no_grad()
    def _logits(self, number: int, inputs: TableInputs) -> Tensor:
        """Return the raw scores of a member for its encoded rows, ``(N, C)``."""
        network, own = self.networks[number], self.members[number]
        # In single precision the sums of a row would depend on the number of rows beside it.
        dtype = torch.float64 if self.model is None else own.weights.dtype
        weights = network.layout.views(own.weights.unsqueeze(0).to(dtype))
        heads = Heads((get(own.readout.spec.base).head,))
        chunks = []
        for rows in torch.split(torch.arange(len(inputs)), CHUNK_ROWS):
            taken = network.encode(inputs.take(rows.unsqueeze(0)).typed(dtype))
            chunks.append(network.body(weights, taken, heads=heads)[0].double())
        return torch.cat(chunks) if chunks else torch.empty(0, self.task.n_classes)

    def encoded_log_probs(self, rows: Sequence[TableInputs], *, raw: bool = False) -> Tensor:
        """Return log probabilities of encoded rows, ``(N, C)``, float64.

        Args:
            rows: The encoded rows of every member.
            raw: Whether to use the softmax of the logits instead of the read-outs.
        """
        found = []
        for number, (member, inputs) in enumerate(zip(self.members, rows, strict=True)):
            logits = self._logits(number, inputs)
            own = logits if raw else member.readout.log_probs(logits, self.facts(member))
            found.append(own.double().log_softmax(-1))
        return torch.stack(found).logsumexp(0) - math.log(len(found))

    def predict_proba(self, data: Table, *, force: bool = False) -> NDArray[np.float64]:
        """Return calibrated probabilities.

        Args:
            data: Rows with the columns that the model was trained on; others are ignored.
            force: Whether to predict even if a column that varied in training is unusable in more
                than half of the rows: it holds words instead of numbers or dates, or levels that
                training never had.

        Returns:
            A row for each example, a column for each class in the order of `classes`; rows sum to
            1.

        Raises:
            InputError: A column is missing, or a column that mattered is unusable in most rows.

        Warns:
            UnusableCellsWarning: Some cells cannot be used and count as missing.

        Shape:
            - output: ``(N, C)``
        """
        rows = encoded_rows(self.encodings, data, force=force)
        return self.encoded_log_probs(self.by_member(rows)).exp().numpy()

    def facts(self, member: Member) -> ClassFacts:
        """Return the facts of the classes that the loss of a member knew."""
        return ClassFacts(
            member.class_counts, weights=self.class_weights, similarity=self.class_similarity
        )

    def predict(self, data: Table, *, force: bool = False) -> NDArray[Any]:
        """Return the label of each row by the decision for the metric of the search, ``(N,)``."""
        return self.classes[self.decisions(self.predict_proba(data, force=force))]

    def decisions(self, probs: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the code of each row's decision from its probabilities ``(N, C)``."""
        scores = torch.from_numpy(probs)
        if self.decision == "expected_cost" and self.cost_matrix is not None:
            cheapest: NDArray[np.int64] = cost_decisions(scores, self.cost_matrix).numpy()
            return cheapest
        if self.decision == "balanced_error":
            scores = balanced_scores(scores.log(), self.class_counts)
        codes: NDArray[np.int64] = scores.argmax(1).numpy()
        return codes

    def decide(
        self, data: Table, cost_matrix: Costs | ArrayLike, *, force: bool = False
    ) -> NDArray[Any]:
        """Return the label of least expected cost for each row.

        Args:
            data: Rows, as in `predict_proba`.
            cost_matrix: Cost of each decision (column) for each true class (row), in any unit: a
                table or file that names the classes, as in `autoloss.search`, or numbers in the
                order of `classes`.
            force: As in `predict_proba`.

        Raises:
            InputError: The matrix has the wrong shape, or numbers that are not finite.

        Shape:
            - cost_matrix: ``(C, C)``
            - output: ``(N,)``
        """
        costs = torch.from_numpy(cost_array(cost_matrix, self.task))
        probs = torch.from_numpy(self.predict_proba(data, force=force))
        codes: NDArray[np.int64] = cost_decisions(probs, costs).numpy()
        labels: NDArray[Any] = self.classes[codes]
        return labels

    def save(self, folder: str | Path) -> Path:
        """Write the model as ``weights.safetensors`` and ``config.json``; return the folder.

        ``input_example.json`` beside them has made-up rows to try the model with; see
        `autoloss.inference.inputs.example_of`.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        tensors: dict[str, Tensor] = {}
        states: list[dict[str, Any]] = []
        places: dict[int, int] = {}
        members = []
        for number, member in enumerate(self.members):
            # Members of the same rows share their encoding.
            if id(member.encoding) not in places:
                place = places[id(member.encoding)] = len(states)
                state, own = member.encoding.to_state()
                states.append(state)
                tensors |= {f"encoding.{place}.{name}": one for name, one in own.items()}
            tensors[f"member.{number}.weights"] = member.weights
            tensors[f"member.{number}.class_counts"] = member.class_counts
            members.append(
                {"encoding": places[id(member.encoding)], "readout": member.readout.to_dict()}
            )
        tensors |= {name: one for name in _GIVEN if (one := getattr(self, name)) is not None}
        # Copied, because a file must not hold two views of the same buffer.
        save_file({name: one.clone() for name, one in tensors.items()}, folder / WEIGHTS)
        config = {
            "format_version": FORMAT_VERSION if self.model is None else OWN_VERSION,
            "task": asdict(self.task),
            "network": asdict(self.config) if self.model is None else self._own_network(),
            "encodings": states,
            "members": members,
            "decision": self.decision,
        }
        text = json.dumps(config, indent=1, allow_nan=False)
        (folder / CONFIG).write_text(text, encoding="utf-8")
        example = json.dumps(example_of(self), indent=1, allow_nan=False)
        (folder / EXAMPLE).write_text(example, encoding="utf-8")
        return folder

    def _own_network(self) -> dict[str, Any]:
        """Return the stored description of the user's own network, without its code."""
        assert self.model is not None
        return {"own": self.model.name, "weights": shapes_of(self.networks[0])}


def load(
    folder: str | Path, *, losses: Losses | None = None, model: Model | None = None
) -> Classifier:
    """Read a model that `Classifier.save` wrote, without running any code of its files.

    Args:
        folder: The model's folder, or the folder of its study.
        losses: Your own losses, if one of them trained the model: losses made with
            `autoloss.losses.declare`, or paths of Python files that declare some. The files are
            run.
        model: Your own network, if the model has one, as in `autoloss.search`: a saved model holds
            weights but no code.

    Raises:
        InputError: There is no model, a newer version wrote it, or its loss or network is unknown.
    """
    take_in(losses)
    network = None if model is None else open_model(model)
    found = read_model(folder, network)
    if found.model is None and network is not None:
        raise InputError(
            f"model must be left out for {folder}, which was trained with the built-in network, "
            f"but got {network.name}."
        )
    return found


def read_model(
    folder: str | Path, network: OwnModel | None = None, *, predicts: bool = True
) -> Classifier:
    """Read a model; see `load`.

    Args:
        folder: Its folder.
        network: The user's own network, if the model has one.
        predicts: Whether the model must predict; its read-outs alone need no network.
    """
    path = model_folder(Path(folder), CONFIG)
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(path / WEIGHTS)
    except (OSError, RecursionError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{path} must hold a model that autoloss saved, but {one_line(error)}."
        ) from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if version not in (FORMAT_VERSION, OWN_VERSION):
        raise InputError(
            f"{path / CONFIG} must have format_version {FORMAT_VERSION} or {OWN_VERSION}, but got "
            f"{version!r:.40}: install the version of autoloss that wrote it."
        )
    try:
        check_losses(config, path)
        own = None
        if version == OWN_VERSION:
            own = shipped(network or absent(str(config["network"]["own"]), path))
        classifier = _classifier(config, tensors, own)
        if own is not None and predicts:
            # Checked first, because nothing fits another network.
            check_network(classifier.networks[0], config["network"]["weights"], path)
        if own is None or predicts:
            check_fit(classifier)
    except InputError:
        raise
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise InputError(
            f"{path} must hold a model that autoloss saved, but {CONFIG} and {WEIGHTS} do not fit "
            f"together ({reason})."
        ) from error
    return classifier


def _classifier(
    config: Mapping[str, Any], tensors: Mapping[str, Tensor], own: OwnModel | None
) -> Classifier:
    """Return the model from the parts of its files."""
    encodings = [
        TableEncoding.from_state(state, below(f"encoding.{place}.", tensors))
        for place, state in enumerate(config["encodings"])
    ]
    return Classifier(
        task=Task.from_dict(config["task"]),
        config=NetworkConfig() if own else NetworkConfig(**config["network"]),
        members=tuple(
            Member(
                encoding=encodings[member["encoding"]],
                weights=tensors[f"member.{number}.weights"],
                readout=Readout.from_dict(member["readout"]),
                class_counts=tensors[f"member.{number}.class_counts"],
            )
            for number, member in enumerate(config["members"])
        ),
        decision=config["decision"],
        **{name: tensors.get(name) for name in _GIVEN},
        model=own,
    )
