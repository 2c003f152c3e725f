"""Reads a model from its files, without running any code of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from autoloss.core.documents import parsed_json
from autoloss.core.errors import InputError
from autoloss.core.files import check_inside, settle
from autoloss.core.settings import NetworkConfig
from autoloss.core.task import Task
from autoloss.data.frozen.extractor import take_in_features
from autoloss.data.input_kinds import encoding_from
from autoloss.data.messages import one_line
from autoloss.inference.classifier import Classifier
from autoloss.inference.fitting import check_fit
from autoloss.inference.member import Member
from autoloss.inference.ood import StrangerRule
from autoloss.inference.saving import CONFIG, FAMILIAR, FORMAT_VERSIONS, WEIGHTS
from autoloss.losses import names
from autoloss.losses.own import Losses, take_in
from autoloss.models import OwnModel
from autoloss.models.custom.own import Model, open_model
from autoloss.models.custom.shipped import absent, check_shapes, shipped
from autoloss.readout import Readout

_KNOWLEDGE = ("cost_matrix", "class_weights", "class_similarity", "thresholds")


def load(
    folder: str | Path,
    *,
    losses: Losses | None = None,
    model: Model | None = None,
    features: str | None = None,
) -> Classifier:
    """Read a model that `Classifier.save` wrote, without running any code of its files.

    Args:
        folder: The model's folder, or the folder of its study.
        losses: Your own losses, if one of them trained the model: losses made with
            `autoloss.losses.declare`, or paths of Python files that declare some. The files are
            run.
        model: Your own network, if the model has one, as in `autoloss.search`: a saved model holds
            weights but no code.
        features: Your own function ``"FILE.py:NAME"`` that computed the frozen features, if there
            is one. The file is executed.

    Raises:
        InputError: There is no model, a newer version wrote it, or its loss or network is unknown.
    """
    take_in(losses)
    take_in_features(features)
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
        network: The custom network, if the model has one.
        predicts: Whether the model must predict; its read-outs alone need no network.
    """
    path = _model_folder(Path(folder))
    check_inside(path)
    try:
        config = parsed_json((path / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(path / WEIGHTS)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(
            f"{path} must hold a model that autoloss saved, but {one_line(error)}."
        ) from error
    version = config.get("format_version") if isinstance(config, dict) else None
    if version not in FORMAT_VERSIONS:
        raise InputError(
            f"{path / CONFIG} must have a format_version of {FORMAT_VERSIONS}, but got "
            f"{version!r:.40}: install the version of autoloss that wrote it."
        )
    try:
        _check_losses(config, path)
        own = None
        if "own" in config["network"]:
            own = shipped(network or absent(str(config["network"]["own"]), path))
        classifier = _classifier(config, tensors, own)
        if own is not None and predicts:
            # Checked first, because nothing fits another network.
            check_shapes(classifier.networks[0], config["network"]["weights"], path)
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
    task = Task.from_dict(config["task"])
    encodings = [
        encoding_from(state, _below(f"encoding.{place}.", tensors))
        for place, state in enumerate(config["encodings"])
    ]
    return Classifier(
        task=task,
        config=NetworkConfig() if own else NetworkConfig(**config["network"]),
        members=tuple(
            Member(
                encoding=encodings[member["encoding"]],
                weights=tensors[f"member.{number}.weights"],
                readout=Readout.from_dict(member["readout"]),
                class_counts=tensors[f"member.{number}.class_counts"],
                weight=float(member.get("weight", 1.0)),
            )
            for number, member in enumerate(config["members"])
        ),
        decision=config["decision"],
        temperature=float(config.get("temperature", 1.0)),
        labels_each=int(config.get("labels_each", 0)),
        **{name: tensors.get(name) for name in _KNOWLEDGE},
        model=own,
        strangers=StrangerRule.from_dict(config["strangers"], _below(FAMILIAR, tensors))
        if "strangers" in config
        else None,
    )


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with the prefix, without the prefix."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _model_folder(folder: Path) -> Path:
    """Return the folder itself or its ``model`` folder, whichever holds a model.

    Raises:
        InputError: Neither holds a model.
    """
    # The model may be a study's.
    for place in (folder.parent, folder, folder / "model"):
        settle(place)
    for place in (folder, folder / "model"):
        if (place / CONFIG).is_file():
            return place
    raise InputError(
        f"{folder} must be a model's folder with {CONFIG} in it, but it has none: give the folder "
        "that the search wrote, reports/NAME/model."
    )


def _check_losses(config: Mapping[str, Any], path: Path) -> None:
    """Check that the losses of a saved model are known.

    Args:
        config: The content of the file that describes the model.
        path: The folder of the model, for the message.

    Raises:
        InputError: A loss is not known.
    """
    for member in config["members"]:
        base = member["readout"]["spec"]["base"]
        if base not in names():
            raise InputError(
                f"{path} must be loaded with the loss that it was trained by, but {base!r} is "
                "not known: give the file that declares it by losses= or --losses FILE."
            )
