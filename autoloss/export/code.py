"""Writes a model as Python code that does not need autoloss, and a file of its weights."""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from autoloss.core.files import replacing
from autoloss.core.task import Task
from autoloss.core.templates import code_templates
from autoloss.data import cells, dates, marks, numbers, text, values
from autoloss.data.signature import by_name
from autoloss.data.text import TextColumn
from autoloss.export.literals import Weights, literal, log_shares, plain
from autoloss.export.model_parts import decision_of, table_networks
from autoloss.export.readout_code import ReadoutCode
from autoloss.export.tag_code import tagger_source, tagger_tensors
from autoloss.inference.classifier import Classifier
from autoloss.inference.saving import save_tensors
from autoloss.inference.scoring import CHUNK_ROWS
from autoloss.losses import ClassFacts, get
from autoloss.models import TableNetwork
from autoloss.models.table import ONE_HOT
from autoloss.readout import Readout

# Constants and functions of `autoloss.data` that the code contains.
_HELPERS = (
    (marks, (), ("without_marks", "_is_mark", "_as_number")),
    (numbers, ("STYLES", "AFFIXES", "GROUPED"), ("parse_numbers", "unit_pattern")),
    (
        cells,
        ("TRUTHS", "WRITTEN_NUMBER", "WRITTEN_DAY", "WRITTEN_CODE"),
        ("plain_writing", "mark_of", "level_codes", "truths_of"),
    ),
    (dates, ("DIGITS",), ("parse_moments", "date_parts", "_floats")),
    (
        values,
        ("MISSING",),
        (
            "Values",
            "values_of",
            "_by_type",
            "spelled",
            "_objects",
            "_float",
            "_numbers",
            "moments",
            "seconds",
            "strip",
            "_without_marks",
            "label_of",
            "relabel",
        ),
    ),
)
_TEXT = (
    text,
    ("_BUCKETS", "_CHUNK", "_LONGEST"),
    ("_log_lengths", "_words", "_counts", "_hashed", "_terms_of", "_weighted", "_padded"),
)
# Types that only the modules of `autoloss.data` import, and their replacements.
_TYPES = {
    "NDArray[np.float64]": "np.ndarray",
    "NDArray[np.int32]": "np.ndarray",
    "NDArray[np.int64]": "np.ndarray",
    "NDArray[np.float32]": "np.ndarray",
    "NDArray[Any]": "np.ndarray",
    "Floats": "np.ndarray",
    "Iterator[Any]": "Any",
    "form: Form": "form: str",
}


def write_code(classifier: Classifier, file: Path) -> tuple[Path, ...]:
    """Write a model as Python code, and its weights as safetensors of the same name.

    The code refuses other weights, because a kill may leave one file of two exports each.

    Returns:
        The files.

    Raises:
        InputError: If the model has a custom network, or its loss has no source.
    """
    tensors = file.with_suffix(".safetensors")
    is_tagger = classifier.task.kind == "sequence"
    loaded = tagger_tensors(classifier) if is_tagger else _tensors(classifier)
    with replacing(file) as part, replacing(tensors) as weights:
        save_tensors(loaded, weights)
        made = Weights(tensors.name, hashlib.sha256(weights.read_bytes()).hexdigest())
        source = (tagger_source if is_tagger else _source)(classifier, file, made)
        part.write_text(source, encoding="utf-8", newline="\n")
    return file, tensors


def _source(classifier: Classifier, file: Path, weights: Weights) -> str:
    """Return the text of the code."""
    networks = table_networks(classifier, "code")
    readouts, decision = ReadoutCode(classifier), decision_of(classifier)
    has_text = any(
        isinstance(column, TextColumn)
        for same in by_name(classifier.encodings).values()
        for column in same
    )
    count = len(classifier.members)
    needs = "torch, pandas, numpy and safetensors"
    return (
        code_templates("autoloss.export")
        .get_template("model.py.j2")
        .render(
            target=plain(classifier.task.target),
            version=version("autoloss"),
            needs=f"{needs}, and scikit-learn for its free text" if has_text else needs,
            weights=plain(weights.name),
            weights_name=repr(weights.name),
            weights_sha256=repr(weights.sha256),
            stem=plain(file.stem),
            rule=decision["rule"],
            n_members=f"{count} training runs" if count > 1 else "one training run",
            has_text=has_text,
            text_is_first=has_text and not classifier.config.text_width,
            columns=literal(list(by_name(classifier.encodings))),
            classes=literal(list(classifier.task.outputs)),
            has_labels=bool(classifier.task.names),
            labels_each=classifier.labels_each,
            has_thresholds=classifier.thresholds is not None,
            constants=literal(_constants(classifier)),
            label_type=_label_type(classifier.task),
            decision=repr(decision["decision"]),
            normalise=classifier.config.normalise,
            one_hot=ONE_HOT,
            depth=classifier.config.depth,
            bins=classifier.config.bins if classifier.config.numbers != "waves" else 0,
            has_waves=any(network.shape.waves for network in networks),
            rows=CHUNK_ROWS,
            encodings=literal([_state(one) for one in _encodings(classifier)]),
            temperature=repr(classifier.temperature),
            log_shares=literal(log_shares(classifier)),
            members=literal(_members(classifier, networks, readouts)),
            helpers=_helpers(has_text),
            readouts=readouts.text,
        )
    )


def _label_type(task: Task) -> str:
    """Return the type of the labels' array as Python text."""
    kind = task.labels.dtype.kind
    return '"datetime64"' if kind == "M" else "object" if kind == "O" else "None"


def _encodings(classifier: Classifier) -> list[Any]:
    """Return the encodings without repeats."""
    return list({id(member.encoding): member.encoding for member in classifier.members}.values())


def _state(encoding: Any) -> dict[str, Any]:
    """Return the facts of an encoding that the code needs besides its tensors."""
    state, _ = encoding.to_state()
    return {key: state[key] for key in ("columns", "has_missing")}


def _members(
    classifier: Classifier, networks: tuple[TableNetwork, ...], readouts: ReadoutCode
) -> list[dict[str, Any]]:
    """Return the facts of every member that the code needs besides its tensors."""
    places = {id(encoding): place for place, encoding in enumerate(_encodings(classifier))}
    return [
        {
            "encoding": places[id(member.encoding)],
            "head": get(member.readout.spec.base).head,
            "readout": readouts.places[number],
            "inverse_temperature": _inverse_temperature(member.readout),
            "mix": member.readout.mix,
            "dense": network.shape.dense,
            "embedded": network.shape.embedded,
            "waves": network.shape.waves,
            "numbers": network.schema.n_numeric,
        }
        for number, (member, network) in enumerate(zip(classifier.members, networks, strict=True))
    ]


def _inverse_temperature(readout: Readout) -> Any:
    """Return the factor of the scores; of several labels a list of one for each."""
    return [[one] for one in readout.of_labels] or readout.inverse_temperature


def _constants(classifier: Classifier) -> list[dict[int, list[float]]]:
    """Return the log probabilities of the labels that do not vary: of each member, of the mean."""
    counts = [member.class_counts for member in classifier.members]
    found = []
    for one in (*counts, classifier.class_counts):
        is_constant, values = ClassFacts(one, task=classifier.task.kind).constants
        places = is_constant.flatten().nonzero().flatten().tolist()
        found.append({place: values[place].tolist() for place in places})
    return found


def _tensors(classifier: Classifier) -> dict[str, Tensor]:
    """Return the tensors that the code loads, by name."""
    networks = table_networks(classifier, "code")
    found: dict[str, Tensor] = {}
    for place, encoding in enumerate(_encodings(classifier)):
        found |= {f"encoding.{place}.{key}": one for key, one in encoding.to_state()[1].items()}
    for number, (member, network) in enumerate(zip(classifier.members, networks, strict=True)):
        views = network.layout.views(member.weights.unsqueeze(0))
        found |= {f"member.{number}.{name}": view[0] for name, view in views.items()}
        found[f"member.{number}.class_counts"] = torch.as_tensor(member.class_counts)
    if classifier.cost_matrix is not None:
        found["cost_matrix"] = classifier.cost_matrix
    if classifier.thresholds is not None:
        found["thresholds"] = classifier.thresholds
    return {name: one.clone().contiguous() for name, one in found.items()}


def _helpers(has_text: bool) -> str:
    """Return the source of the functions that read cells."""
    blocks, constants = [], []
    for module, names, functions in (*_HELPERS, *([_TEXT] if has_text else [])):
        constants += [f"{name} = {literal(getattr(module, name))}" for name in names]
        for name in functions:
            value = getattr(module, name)
            blocks.append(_without_imports(inspect.getsource(value), value))
    helpers = "\n\n\n".join(["\n".join(constants), *blocks]).strip()
    for ours, other in _TYPES.items():
        helpers = helpers.replace(ours, other)
    return helpers


def _without_imports(source: str, value: Any) -> str:
    """Return the source of a function without its imports, which stand at the top of the code."""
    lines = source.rstrip().splitlines()
    if isinstance(value, FunctionType):
        lines = [line for line in lines if not line.strip().startswith(("from ", "import "))]
    return "\n".join(lines)
