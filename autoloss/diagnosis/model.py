"""The diagnosis of a model of autoloss on labelled rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError, closest
from autoloss.core.ragged import Labels, Ragged
from autoloss.core.task import MISSING_LABEL, Task
from autoloss.data.encoding import Inputs, TokenReader
from autoloss.data.frames import Table
from autoloss.data.input_kinds import kind_of_encoding
from autoloss.data.label_columns import read_label_lists, read_labels
from autoloss.data.messages import listed, plural
from autoloss.data.read import Source
from autoloss.data.sources import labels_of
from autoloss.data.values import label_of as text_of
from autoloss.diagnosis.labelled import LEAST_ROWS, ItemLabels, LabelledPredictions
from autoloss.diagnosis.loss import determined_part
from autoloss.diagnosis.of_network import network_surface
from autoloss.diagnosis.run import diagnosed
from autoloss.diagnosis.several import counted_note
from autoloss.diagnosis.tokens import of_tokens
from autoloss.inference.classifier import Classifier
from autoloss.inference.entrance import encoded_rows
from autoloss.inference.predicting import SEPARATOR
from autoloss.losses import LossSpec
from autoloss.records.diagnosis import Diagnosis


def diagnose_model(
    classifier: Classifier,
    data: Source,
    *,
    loss: str | LossSpec | Mapping[str, Any] | None = None,
    ood: Source | None = None,
    name: str = "model",
    seed: int = 0,
) -> Diagnosis:
    """Diagnose a model, and the loss that trained it, from its predictions.

    Args:
        classifier: The model.
        data: Rows held out from its training, with the target column.
        loss: The loss whose gradient is shown; by default the loss that trained the model.
        ood: Out-of-distribution (OOD) rows with the same columns; no target is read.
        name: Name of the diagnosis.
        seed: Seed of all draws.

    Raises:
        InputError: If columns are missing, labels are unknown, or rows are too few.
    """
    predictions, rows, labels = _given(classifier, data)
    notes = list(predictions.notes)
    trained = classifier.members[0].readout.spec
    if loss is None:
        loss = trained
        try:
            determined_part(trained)
        except InputError:
            loss = "cross_entropy"
            notes.append(
                f"The logits alone do not determine the gradient of {trained.base}; "
                "the gradient of cross-entropy is shown."
            )
        if predictions.items is not None and trained.prior != "none":
            loss = "cross_entropy"
            notes.append(
                f"The gradient is that of cross-entropy, because {trained.prior} differs by label."
            )
    predictions = replace(predictions, notes=tuple(notes))
    counts = [classifier.facts(member).of_item() for member in classifier.members]
    strange = None if ood is None else classifier.logits(ood)
    found = diagnosed(predictions, loss, name=name, counts=counts, strange=strange, seed=seed)
    place = max(range(len(classifier.members)), key=lambda one: classifier.members[one].weight)
    surface = network_surface(classifier, rows[place], labels, place=place, seed=seed)
    if isinstance(surface, str):
        return replace(found, surface_reason=surface)
    return replace(found, surface=surface, surface_reason="")


Given = tuple[LabelledPredictions, list[Inputs], Labels]
"""Predictions for labelled rows, the rows as each training run reads them, and all labels."""


def _logits(classifier: Classifier, data: Source) -> tuple[Tensor, list[Inputs]]:
    """Return the logits of every training run as `Classifier.logits`, and the rows it reads."""
    rows = classifier.by_member(encoded_rows(classifier.encodings, data))
    found = [classifier.member_logits(place, one) for place, one in enumerate(rows)]
    return torch.stack(found).float(), rows


def _given(classifier: Classifier, data: Source) -> Given:
    """Return the predictions of a model for the labelled rows."""
    if classifier.task.kind == "sequence":
        return _of_sequences(classifier, data)
    encodings = classifier.encodings
    table, pieces = kind_of_encoding(encodings[0]).reader(encodings).labelled(data)
    target = classifier.task.target
    if table.target is not None and target not in table.frame:
        # The source names its classes itself, as a folder of images does.
        table = replace(table, frame=table.frame.rename(columns={table.target: target}))
    if classifier.task.names:
        return _of_labels(classifier, pieces, table)
    targets, notes = _targets(classifier, table)
    rows = np.flatnonzero(targets >= 0)
    every, inputs = _logits(classifier, pieces)
    logits = every[:, rows]
    each = [
        member.readout.log_probs(own, classifier.facts(member)).log_softmax(-1)
        for member, own in zip(classifier.members, logits, strict=True)
    ]
    found = LabelledPredictions(
        log_probs=classifier.mean(each),
        logits=logits,
        targets=torch.from_numpy(targets[rows]),
        weights=None,
        classes=tuple(map(str, classifier.task.classes)),
        kind="model",
        notes=notes,
    )
    return found, inputs, torch.from_numpy(targets)


def _of_labels(classifier: Classifier, data: Source, table: Table) -> Given:
    """Return the predictions of a model of several labels for each label that is known."""
    names = classifier.task.names
    answers = torch.from_numpy(_answers(classifier.task, table))
    logits, inputs = _logits(classifier, data)
    facts = [classifier.facts(member) for member in classifier.members]
    each = [
        member.readout.log_probs(one, own).log_softmax(-1)
        for member, one, own in zip(classifier.members, logits, facts, strict=True)
    ]
    known = answers != MISSING_LABEL
    rows, numbers = known.nonzero(as_tuple=True)
    if len(rows) < LEAST_ROWS:
        raise InputError(
            f"{table.label} must have at least {LEAST_ROWS} known labels, but has {len(rows)}."
        )
    found = LabelledPredictions(
        log_probs=classifier.mean(each)[known],
        logits=facts[0].over_classes(logits)[:, known],
        targets=answers[known],
        weights=None,
        classes=tuple(map(str, classifier.task.classes)),
        kind="model",
        notes=(counted_note(len(rows), len(answers)),),
        items=ItemLabels(names, numbers, rows),
        clusters=rows,
    )
    return found, inputs, answers


def _of_sequences(classifier: Classifier, data: Source) -> Given:
    """Return the predictions of a model of sequences for the tagged tokens."""
    made = kind_of_encoding(classifier.encodings[0]).reader(classifier.encodings)
    reader = cast("TokenReader", made)
    table, column = reader.tagged(data, str(classifier.task.target))
    lengths = column.lengths
    keys = [text_of(one) for one in classifier.task.classes]
    tags = column.targets(keys, np.arange(len(lengths))).values
    known = tags >= 0
    if int(known.sum()) < LEAST_ROWS or len(set(tags[known].tolist())) < 2:
        raise InputError(
            f"{table.label} must have at least {LEAST_ROWS} tokens with tags of the model, and two"
            f" tags or more, but has {plural(int(known.sum()), 'such token')}."
        )
    logits, inputs = _logits(classifier, data)
    each = [
        member.readout.log_probs(one, classifier.facts(member)).log_softmax(-1)
        for member, one in zip(classifier.members, logits, strict=True)
    ]
    unknown = column.unknown(keys, np.arange(len(lengths)))[1]
    found = LabelledPredictions(
        log_probs=classifier.mean(each)[0, known],
        logits=logits[:, 0, known],
        targets=tags[known],
        weights=None,
        classes=tuple(keys),
        kind="model",
        notes=(f"Tokens with tags that the model lacks are left out: {listed(unknown)}.",)
        if unknown
        else (),
    )
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    place = np.arange(len(tags)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    labels = Ragged(tags.clamp_min(-1), torch.from_numpy(np.asarray(lengths)))
    return of_tokens(found, sequence[known.numpy()], place[known.numpy()]), inputs, labels


def _answers(task: Task, table: Table) -> NDArray[np.int64]:
    """Return yes, no or missing for each row and label, from a column of each or one of lists."""
    columns = [str(name) for name in table.frame.columns]
    missing = [name for name in task.names if name not in columns]
    if not missing:
        return read_labels(table, task.names).answers.astype(np.int64)
    if task.target not in columns:
        raise InputError(
            f"{table.label} must have the columns of the model's labels, but lacks"
            f" {listed(missing)}."
        )
    cells = table.frame[task.target].dropna()
    is_joined = any(isinstance(cell, str) and not cell.lstrip().startswith("[") for cell in cells)
    separator = SEPARATOR if is_joined else None
    found = read_label_lists(table, task.target, separator=separator, is_whole=False)
    if new := [name for name in found.names if name not in task.names]:
        raise InputError(
            f"{table.label} must have lists of the model's labels, joined by {SEPARATOR!r} where"
            f" they are text, but has {listed(new)}."
        )
    return found.codes(task.names)


def _targets(classifier: Classifier, table: Table) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the class of each row, -1 without a label, and notes."""
    name, frame, label = classifier.task.target, table.frame, table.label
    if name not in frame.columns:
        hint = closest(name, map(str, frame.columns))
        near = f"; {hint.removeprefix(', ')}" if hint.startswith(", did") else "."
        raise InputError(
            f"{label} must have the target column {name!r} with the true classes, but lacks "
            f"it{near}"
        )
    found = labels_of(table, name)
    codes = found.codes([text_of(one) for one in classifier.task.classes])
    unseen = codes == -2
    if unseen.any():
        kinds = sorted(set(map(str, found.keys[unseen])))
        raise InputError(
            f"Target {name!r} of {label} must hold classes of the model "
            f"({listed(classifier.task.classes)}), but {plural(int(unseen.sum()), 'row')} have "
            f"{listed(kinds)}: leave them out."
        )
    known = codes[codes >= 0]
    if len(known) < LEAST_ROWS:
        raise InputError(
            f"{label} must have at least {LEAST_ROWS} rows with a target, but has {len(known)}."
        )
    if (known == known[0]).all():
        raise InputError(
            f"Target {name!r} of {label} must have two classes or more, but every row is "
            f"{str(classifier.task.classes[int(known[0])])!r}."
        )
    missing = int((codes == -1).sum())
    notes = (f"{plural(missing, 'row')} without a target were left out.",) if missing else ()
    return codes, notes
