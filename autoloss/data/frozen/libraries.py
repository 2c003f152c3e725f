"""Networks of images and of texts from libraries, loaded with their weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from autoloss.core.errors import InputError

_SMALL = 32
"""Images or texts that run through a network at once."""


@dataclass(frozen=True, eq=False)
class Frozen:
    """A network with its weights.

    Args:
        sha256: Fingerprint of its weights.
        vectors: Returns the vectors of some images or texts, (B, D).
    """

    sha256: str
    vectors: Callable[[Sequence[Any]], Any]


@dataclass(frozen=True)
class Library:
    """A library of networks.

    Args:
        package: Its name on the package index.
        reads: The inputs of its networks: ``"pictures"``, ``"texts"``.
        load: Returns the network of a name or a folder for its kind of input.
    """

    package: str
    reads: tuple[str, ...]
    load: Callable[[str, str], Frozen]


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def weights_digest(module: nn.Module) -> str:
    """Return the sha256 of the names and numbers of a module's weights and buffers."""
    digest = hashlib.sha256()
    for name, one in sorted(module.state_dict().items()):
        digest.update(f"{name} {one.dtype} {tuple(one.shape)}\0".encode())
        flat = one.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    return digest.hexdigest()


def _frozen(module: nn.Module, run: Callable[[Sequence[Any]], Any]) -> Frozen:
    """Return a module in eval mode with its function, a few inputs at once."""
    module.eval()

    @torch.inference_mode()
    def vectors(batch: Sequence[Any]) -> Any:
        parts = [run(batch[at : at + _SMALL]).float().cpu() for at in range(0, len(batch), _SMALL)]
        return torch.cat([part.flatten(1) for part in parts]).numpy()

    return Frozen(weights_digest(module), vectors)


def _of_sentence_transformers(place: str, seen: str) -> Frozen:
    from sentence_transformers import SentenceTransformer

    _check_modules(Path(place))
    model = SentenceTransformer(place, device=str(_device()))
    model.eval()

    def vectors(batch: Sequence[Any]) -> Any:
        return model.encode(
            list(batch), batch_size=_SMALL, show_progress_bar=False, convert_to_numpy=True
        )

    return Frozen(weights_digest(model), vectors)


def _check_modules(folder: Path) -> None:
    """Refuse a folder that names classes outside the library, whose code would run.

    Raises:
        InputError: It does.
    """
    try:
        listed = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        names = [str(one["type"]) for one in listed]
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder} must be a model of sentence-transformers, but its modules.json cannot be"
            " read."
        ) from error
    for name in names:
        if not name.startswith("sentence_transformers."):
            raise InputError(
                f"{folder} must have modules of sentence-transformers alone, because no code of a"
                f" model is run, but has {name!r:.80}: call it in a function, FILE.py:NAME."
            )


def _of_transformers(place: str, seen: str) -> Frozen:
    import transformers

    device = _device()
    model = transformers.AutoModel.from_pretrained(place).to(device)
    if seen == "pictures":
        processor = transformers.AutoImageProcessor.from_pretrained(place)

        def pictures(batch: Sequence[Any]) -> Any:
            given = processor(images=list(batch), return_tensors="pt").to(device)
            found = model(**given)
            pooled = getattr(found, "pooler_output", None)
            return found.last_hidden_state.mean(1) if pooled is None else pooled

        return _frozen(model, pictures)
    tokens = transformers.AutoTokenizer.from_pretrained(place)
    longest = min(int(tokens.model_max_length), 512)

    def texts(batch: Sequence[Any]) -> Any:
        given = tokens(
            list(batch), padding=True, truncation=True, max_length=longest, return_tensors="pt"
        ).to(device)
        hidden = model(**given).last_hidden_state
        # The mean over the tokens of a text, without its padding.
        mask = given["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        return (hidden * mask).sum(1) / mask.sum(1).clamp_min(1.0)

    return _frozen(model, texts)


def _of_timm(place: str, seen: str) -> Frozen:
    import timm

    model = timm.create_model(place, pretrained=True, num_classes=0).to(_device())
    settings = timm.data.resolve_model_data_config(model)
    change = timm.data.create_transform(**settings, is_training=False)
    return _frozen(model, lambda batch: model(torch.stack([*map(change, batch)]).to(_device())))


def _of_torchvision(place: str, seen: str) -> Frozen:
    from torchvision import models

    weights = models.get_model_weights(place).DEFAULT
    model = models.get_model(place, weights=weights).to(_device())
    for name in ("fc", "classifier", "heads", "head"):
        if isinstance(getattr(model, name, None), nn.Module):
            setattr(model, name, nn.Identity())
    change = weights.transforms()
    return _frozen(model, lambda batch: model(torch.stack([*map(change, batch)]).to(_device())))


LIBRARIES = {
    "st": Library("sentence-transformers", ("texts", "pictures"), _of_sentence_transformers),
    "hf": Library("transformers", ("texts", "pictures"), _of_transformers),
    "timm": Library("timm", ("pictures",), _of_timm),
    "torchvision": Library("torchvision", ("pictures",), _of_torchvision),
}
"""The libraries by the word that a reference begins with, which is also the extra's name."""
