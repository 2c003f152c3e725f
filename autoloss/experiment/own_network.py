"""The custom network in a search: checked, timed, and recorded for `resume`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from autoloss.core.errors import InputError
from autoloss.core.own_code import check_unchanged, digest_of, named_by
from autoloss.data import StudyData
from autoloss.losses import get
from autoloss.models import Layout, ModuleNetwork, OwnModel, networks_for
from autoloss.models.custom.check import check_network, check_weights
from autoloss.models.custom.own import AUTO, Model, open_model
from autoloss.models.custom.shipped import shapes_of
from autoloss.search import Space
from autoloss.training.form import choose_form

KEY = "model"
"""The key of a study's origin that holds the record of the network."""
_HEADS = ("cosine head", "unbiased head", "norms")
_ROWS, _SEVERAL = 64, 4


@dataclass(frozen=True, eq=False)
class CheckedNetwork:
    """The custom network, checked on the rows of a study; empty for the built-in network.

    Args:
        model: The network.
        notes: Notes for the user on its training, a sentence each.
        origin: The study's record of it, as JSON values.
        can_mix: Whether it reads inputs that can be mixed.
    """

    model: OwnModel | None = None
    notes: tuple[str, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)
    can_mix: bool = True


def space_for(space: Space, model: OwnModel | None, *, own: Iterable[str] = ()) -> Space:
    """Return the part of a space that can train a network.

    The custom network has its own dropout, and a single last layer for all losses.

    Args:
        space: The space.
        model: The network; None for the built-in one.
        own: The custom losses.

    Raises:
        InputError: One of these losses needs a last layer that only the built-in network has.
    """
    if model is None:
        return space
    left_out = tuple(
        base for base in space.bases if get(base).head != "linear" or "norms" in get(base).needs
    )
    for name in own:
        if name in left_out:
            raise InputError(
                f"model must be left out for {name}, which needs a last layer that only the "
                f"built-in network has, but got {model.name}."
            )
    ranges = {key: one for key, one in space.ranges.items() if key != "dropout"}
    fixed = {**space.fixed, "dropout": 0.0}
    kept = tuple(base for base in space.bases if base not in left_out)
    return replace(space, bases=kept, ranges=ranges, fixed=fixed)


def provided(
    names: Sequence[str], model: OwnModel | None, *, can_mix: bool = True
) -> tuple[str, ...]:
    """Return the names of the values that losses get in the training of a network.

    Args:
        names: The names for the built-in network.
        model: The custom network; None for the built-in one.
        can_mix: Whether inputs can be mixed.
    """
    absent = {*(_HEADS if model is not None else ()), *(() if can_mix else ("mixup",))}
    return tuple(name for name in names if name not in absent)


def checked_network(
    model: OwnModel | None,
    data: StudyData,
    space: Space,
    *,
    loaded: Space,
    device: torch.device,
) -> CheckedNetwork:
    """Check the custom network, and measure how its candidates train fastest.

    Args:
        model: The network; None for the built-in one.
        data: The data.
        space: The space, as `space_for` returned it.
        loaded: The space as loaded.
        device: Where to train.

    Raises:
        InputError: The network cannot be trained; one line says why.
    """
    if model is None:
        return CheckedNetwork()
    network, folds = _network(model, data, space), data.folds
    check_weights(network)
    rows = torch.arange(min(len(folds[0].train), _ROWS))
    rows = rows.repeat(-(-_SEVERAL // len(rows))) if len(rows) < _SEVERAL else rows
    sample = network.sample(folds[0].train.inputs, rows)
    behaviour = check_network(network, sample.to(device))
    form = choose_form(
        network,
        behaviour,
        folds[0],
        space.training,
        device=device,
        together=space.together,
        task=data.task.kind,
    )
    chosen = replace(model, stacked=form.stacked, draws=behaviour.draws)
    left_out = [base for base in loaded.bases if base not in space.bases]
    notes = (_about(model, network.layout, form.reason), *_notes(left_out))
    record = {
        "name": model.name,
        "file": model.file,
        "sha256": model.sha256,
        "weights": shapes_of(network),
        "stacked": form.stacked,
        "draws": behaviour.draws,
        "notes": list(notes),
    }
    return CheckedNetwork(chosen, notes, {KEY: record}, network.can_mix)


def recall_network(
    origin: Mapping[str, Any], again: Model | None, *, study: str
) -> OwnModel | None:
    """Return the network that a study began with.

    Args:
        origin: The origin of the study.
        again: The network, given again; None if it is not.
        study: The study's name.

    Raises:
        InputError: It is missing or has changed, or the study began with the built-in network.
    """
    record = origin.get(KEY)
    if record is None:
        if again not in (None, AUTO):
            raise InputError(
                f"model must be left out to continue with {study}, which began with the built-in "
                "network."
            )
        return None
    name, file = record["name"], record["file"]
    if again is None and file is not None and Path(file).is_file():
        check_unchanged(file, digest_of(file), record["sha256"], study=study)
        with named_by(study):
            model: OwnModel | None = open_model(f"{file}:{name}")
    else:
        model = None if again is None else open_model(again)
    if model is None:
        where = "no file holds it" if file is None else f"{file} is not there"
        raise InputError(
            f"model must be given to continue, because {study} began with {name}, a custom "
            f"network, and {where}: give it by model= or --model FILE.py:NAME."
        )
    check_unchanged(model.file, model.sha256, record["sha256"], study=study)
    return replace(model, stacked=record["stacked"], draws=record["draws"])


def check_again(
    model: OwnModel | None,
    origin: Mapping[str, Any],
    data: StudyData,
    space: Space,
    *,
    study: str,
) -> None:
    """Check that a network has the parameters that a study began with.

    Raises:
        InputError: The parameters differ.
    """
    if model is None:
        return
    network = _network(model, data, space)
    if shapes_of(network) != origin[KEY]["weights"]:
        raise InputError(
            f"model must have the parameters that {study} began with, but those of {model.name} "
            "have other names or shapes: search with it under another name."
        )


def fingerprint_with(fingerprint: str, origin: Mapping[str, Any]) -> str:
    """Return the fingerprint of data and network; for the built-in network, of the data alone."""
    if KEY not in origin:
        return fingerprint
    text = json.dumps([fingerprint, origin[KEY]["weights"]])
    return hashlib.sha256(text.encode()).hexdigest()


def notes_of(origin: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the notes for the user on the custom network."""
    return tuple(origin[KEY]["notes"]) if KEY in origin else ()


def network_argument(origin: Mapping[str, Any]) -> dict[str, str]:
    """Return the custom network as an argument of ``--model``; empty for the built-in."""
    if KEY not in origin:
        return {}
    file, name = origin[KEY]["file"], origin[KEY]["name"]
    return {KEY: f"{file or 'FILE.py'}:{name}"}


def _network(model: OwnModel, data: StudyData, space: Space) -> ModuleNetwork:
    """Return the network for the shape of the first division, which all divisions share."""
    schemas = [fold.encoding.schema for fold in data.folds]
    network = networks_for(schemas, data.task.n_outputs, space.network, model)[0]
    assert isinstance(network, ModuleNetwork)
    return network


def _about(model: OwnModel, layout: Layout, reason: str) -> str:
    where = f" of {Path(model.file).name}" if model.file else ""
    return (
        f"The network is {model.name}{where}, {layout.size:,} numbers a candidate; {reason}. It "
        "has its own dropout and layers: dropout, [network] and precision of the space have no "
        "effect."
    )


def _notes(left_out: Sequence[str]) -> tuple[str, ...]:
    if not left_out:
        return ()
    verb = "need" if len(left_out) > 1 else "needs"
    return (
        f"Left out: {', '.join(left_out)}, which {verb} a last layer that only the built-in "
        "network has.",
    )
