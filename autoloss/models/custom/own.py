"""A network of the user's own: reading ``model=``, and calling its code."""

from __future__ import annotations

import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.core.devices import is_out_of_memory
from autoloss.core.errors import InputError, closest
from autoloss.core.own_code import Origin, read_code, run_code

AUTO = "auto"
MakeNet = Callable[..., nn.Module]
Model = str | MakeNet
"""`AUTO`, ``"FILE.py:NAME"``, or a function that makes a network."""
_RAN: dict[str, tuple[Origin, types.ModuleType]] = {}


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A network of the user's own, and the way its candidates are trained.

    Args:
        make: Returns a module for a number of features and of outputs, with its weights drawn; for
            sequences of a number of codes before these two.
        name: The name of the function.
        file: The Python file of the function; None for a function that a program passes.
        sha256: Fingerprint of the file.
        stacked: Whether a single call of `torch.func.vmap` runs all candidates; otherwise they run
            one after the other, on the same batches.
        draws: Whether the module draws random numbers in training.
    """

    make: MakeNet
    name: str
    file: str | None = None
    sha256: str | None = None
    stacked: bool = True
    draws: bool = True

    def __reduce__(self) -> Any:
        """Return the arguments for a pickle: the file in the place of its function, if any."""
        if self.file is None:
            return type(self), (self.make, self.name, None, None, self.stacked, self.draws)
        return _restored, (self.file, self.name, self.stacked, self.draws)

    def module(
        self, n_features: int, n_outputs: int, seed: int, *, n_codes: int | None = None
    ) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``.

        Args:
            n_features: Numbers of a row, or of a token.
            n_outputs: Logits of a row, or of a token.
            seed: The seed.
            n_codes: Codes of tokens; None for rows of a table.

        Raises:
            InputError: If the user's code fails or returns no module.
        """
        sizes = {} if n_codes is None else {"n_codes": n_codes}
        sizes |= {"n_features": n_features, "n_outputs": n_outputs}
        rule = f"return a network for {', '.join(f'{key}={size}' for key, size in sizes.items())}"
        with seeded(seed), self.guarded(rule):
            made: Any = self.make(*sizes.values())
        if not isinstance(made, nn.Module):
            raise InputError(
                f"model must return a torch.nn.Module, but {self.name} returned "
                f"{type(made).__name__}."
            )
        return made

    @contextmanager
    def guarded(self, rule: str, *, where: str = "") -> Iterator[None]:
        """Turn an error of the user's code into one line that names its cause.

        Args:
            rule: The rule that the code breaks.
            where: The pass that runs; empty for the call itself.
        """
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.lineno for frame in frames if frame.filename == self.file]
            line = f"{Path(self.file).name}, line {lines[-1]}: " if self.file and lines else ""
            during = f"in {where} " if where else ""
            raise InputError(
                f"model must {rule}, but {self.name} gave {during}{line}{first_line(error)}."
            ) from error


def open_model(model: Model) -> OwnModel | None:
    """Return a network of the user's own; None for the built-in network.

    The code of a file runs, as by ``import``, and can import files beside it. A file runs again
    only after a change.

    Args:
        model: ``"auto"``, ``"FILE.py:NAME"``, or a function of the numbers of features and of
            outputs that returns a module.

    Raises:
        InputError: If its type is another, or the file cannot be read, fails or lacks the name.
    """
    if model == AUTO:
        return None
    if isinstance(model, str):
        return _from_file(model)
    if isinstance(model, nn.Module) or not callable(model):
        raise InputError(
            "model must be auto, FILE.py:NAME or a function of (n_features, n_outputs) that "
            f"returns a network, but got {type(model).__name__}."
        )
    return OwnModel(model, getattr(model, "__name__", type(model).__name__))


def _from_file(place: str) -> OwnModel:
    """Return the network of ``"FILE.py:NAME"``."""
    path, separator, name = place.rpartition(":")
    if not separator or not path.endswith(".py") or not name.isidentifier():
        raise InputError(f"model must be auto or FILE.py:NAME, but got model={place!r}.")
    source, origin = read_code(path, argument="model")
    before = _RAN.get(origin.file)
    if before is None or before[0] != origin:
        folder = str(Path(origin.file).parent)
        if folder not in sys.path:
            # A network may import files beside it; installed packages come first.
            sys.path.append(folder)
        _RAN[origin.file] = (origin, run_code(Path(path), source))
    _, module = _RAN[origin.file]
    make: Any = vars(module).get(name)
    if make is None:
        known = [key for key, value in vars(module).items() if callable(value)]
        raise InputError(
            f"model must name a function of {path}, but it has no {name!r}"
            f"{closest(name, known) if known else '.'}".rstrip(".")
            + "."
        )
    if isinstance(make, nn.Module) or not callable(make):
        raise InputError(
            f"model must name a function of (n_features, n_outputs) that returns a network, but "
            f"{name} of {path} is {type(make).__name__}."
        )
    return OwnModel(make, name, origin.file, origin.sha256)


def _restored(file: str, name: str, stacked: bool, draws: bool) -> OwnModel:
    """Return the network of a pickle."""
    found = _from_file(f"{file}:{name}")
    return OwnModel(found.make, name, found.file, found.sha256, stacked=stacked, draws=draws)


def tensors_of(module: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the learnt parameters of a module, and its state: buffers and frozen parameters."""
    named: dict[str, Tensor] = dict(module.named_parameters())
    learnt = {name: one for name, one in named.items() if one.requires_grad}
    frozen = {name: one for name, one in named.items() if not one.requires_grad}
    return learnt, {**frozen, **dict(module.named_buffers())}


@contextmanager
def forked(device: torch.device | None = None) -> Iterator[None]:
    """Restore torch's random state afterwards."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw as after ``torch.manual_seed(seed)``, and restore torch's random state afterwards."""
    with forked():
        torch.manual_seed(seed)
        yield


def reseed(seed: int, device: torch.device) -> None:
    """Seed a device as ``torch.manual_seed(seed)`` does.

    `torch.manual_seed` seeds every kind of device, which takes longer than a small layer.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of its message."""
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
