"""Writes a model: weights as safetensors, everything else as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from autoloss.core.files import replacing_folder
from autoloss.core.settings import NetworkConfig
from autoloss.core.task import Task
from autoloss.data.input_kinds import encoding_state, kind_of_encoding
from autoloss.inference.member import Member, encodings_of
from autoloss.inference.ood import StrangerRule

FORMAT_VERSION = 2
OWN_VERSION = 3
"""The format version of a model with a custom network."""
MEAN_VERSION = 4
"""The format version of either if its members have weights or their mean has a temperature.

An earlier version of autoloss, which would pass over them, refuses such a model.
"""
FORMAT_VERSIONS = (FORMAT_VERSION, OWN_VERSION, MEAN_VERSION)
CONFIG, WEIGHTS, EXAMPLE = "config.json", "weights.safetensors", "input_example.json"
FAMILIAR = "familiar."
"""Stands before the names of the scores of in-distribution rows."""


@dataclass(frozen=True)
class StoredNetwork:
    """The stored description of the custom network, without its code.

    Args:
        own: Its name.
        weights: Names and shapes of its weights.
    """

    own: str
    weights: list[list[Any]]


def write_model(
    folder: Path,
    members: Sequence[Member],
    *,
    task: Task,
    network: NetworkConfig | StoredNetwork,
    decision: str,
    temperature: float,
    labels_each: int,
    strangers: StrangerRule | None,
    knowledge: Mapping[str, Tensor],
) -> Path:
    """Write the files of a model, all of them or none; return the folder.

    Args:
        folder: The folder; it is made if it does not exist.
        members: The training runs, one or more.
        task: The kind of label and its classes.
        network: The built-in network, or the description of a custom network.
        decision: The quantity that the decisions minimise.
        temperature: The temperature of the mean of the members.
        labels_each: The number of labels that each row is given; 0 for no fixed number.
        strangers: The OOD score; None for none.
        knowledge: The costs, weights and similarity of the classes that were given, and the
            thresholds of labels, by name.
    """
    encodings = encodings_of(members)
    places = {id(encoding): place for place, encoding in enumerate(encodings)}
    tensors: dict[str, Tensor] = {}
    states = []
    for place, encoding in enumerate(encodings):
        state, own = encoding_state(encoding)
        states.append(state)
        tensors |= {f"encoding.{place}.{name}": one for name, one in own.items()}
    for number, member in enumerate(members):
        tensors[f"member.{number}.weights"] = member.weights
        tensors[f"member.{number}.class_counts"] = member.class_counts
    tensors |= knowledge
    rule = {} if strangers is None else {"strangers": strangers.to_dict()}
    if strangers is not None:
        tensors |= {f"{FAMILIAR}{name}": one for name, one in strangers.familiar.items()}
    version = OWN_VERSION if isinstance(network, StoredNetwork) else FORMAT_VERSION
    if temperature != 1.0 or len({member.weight for member in members}) > 1:
        version = MEAN_VERSION
    config = {
        "format_version": version,
        "task": task.to_dict(),
        "network": asdict(network),
        "encodings": states,
        "members": [
            {
                "encoding": places[id(member.encoding)],
                "readout": member.readout.to_dict(),
                "weight": member.weight,
            }
            for member in members
        ],
        "decision": decision,
        "temperature": temperature,
        **({"labels_each": labels_each} if labels_each else {}),
        **rule,
    }
    with replacing_folder(folder) as part:
        # Copied, because a file must not hold two views of the same buffer.
        save_tensors({name: one.clone() for name, one in tensors.items()}, part / WEIGHTS)
        _write_json(part / CONFIG, config)
        _write_json(part / EXAMPLE, kind_of_encoding(encodings[0]).example(encodings))
    return folder


def save_tensors(tensors: dict[str, Tensor], file: Path) -> None:
    """Write tensors to a safetensors file.

    Raises:
        OSError: The file cannot be written.
    """
    try:
        save_file(tensors, file)
    except SafetensorError as error:
        raise OSError(str(error)) from error


def _write_json(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value, indent=1, allow_nan=False), encoding="utf-8")
