"""A network of the user's own: how ``model=`` is read, and how its code is called."""

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
MakeNet = Callable[[int, int], nn.Module]
Model = str | MakeNet
"""`AUTO`, ``"FILE.py:NAME"``, or a function that makes a network."""
_RAN: dict[str, tuple[Origin, types.ModuleType]] = {}


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A network of the user's own, and how its candidates are trained.

    Args:
        make: Returns a module for a number of features and of outputs; it draws the weights.
        name: Its name.
        file: The Python file that it is in; None if it was given as it is.
        sha256: Fingerprint of the file.
        stacked: Whether candidates are one call of `torch.func.vmap`; else they are called one
            after the other, on the same mini-batches.
        draws: Whether the module draws random numbers while it trains.
    """

    make: MakeNet
    name: str
    file: str | None = None
    sha256: str | None = None
    stacked: bool = True
    draws: bool = True

    def __reduce__(self) -> Any:
        """Return what a pickle holds: the place of the file, where there is one."""
        if self.file is None:
            return type(self), (self.make, self.name, None, None, self.stacked, self.draws)
        return _restored, (self.file, self.name, self.stacked, self.draws)

    def module(self, n_features: int, n_outputs: int, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``.

        Raises:
            InputError: The user's code fails, or returns no module.
        """
        rule = f"return a network for n_features={n_features}, n_outputs={n_outputs}"
        with seeded(seed), self.guarded(rule):
            made: Any = self.make(n_features, n_outputs)
        if not isinstance(made, nn.Module):
            raise InputError(
                f"model must return a torch.nn.Module, but {self.name} returned "
                f"{type(made).__name__}."
            )
        return made

    @contextmanager
    def guarded(self, rule: str, *, where: str = "") -> Iterator[None]:
        """Say in one line what is wrong with the user's code.

        Args:
            rule: What it must do.
            where: The pass that runs, where that is not the call itself.
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


def open_model(given: Model) -> OwnModel | None:
    """Return a network of the user's own, None for the built-in one.

    The code of a file is run, as by ``import``, and can import what lies beside it. A file that
    has not changed is run once.

    Args:
        given: ``"auto"``, ``"FILE.py:NAME"``, or a function of the numbers of features and of
            outputs that returns a module.

    Raises:
        InputError: It is none of these, or its file cannot be read, fails or lacks the name.
    """
    if given == AUTO:
        return None
    if isinstance(given, str):
        return _from_file(given)
    if isinstance(given, nn.Module) or not callable(given):
        raise InputError(
            "model must be auto, FILE.py:NAME or a function of (n_features, n_outputs) that "
            f"returns a network, but got {type(given).__name__}."
        )
    return OwnModel(given, getattr(given, "__name__", type(given).__name__))


def _from_file(given: str) -> OwnModel:
    """Return the network of ``"FILE.py:NAME"``."""
    path, separator, name = given.rpartition(":")
    if not separator or not path.endswith(".py") or not name.isidentifier():
        raise InputError(f"model must be auto or FILE.py:NAME, but got model={given!r}.")
    source, origin = read_code(path, argument="model")
    before = _RAN.get(origin.file)
    if before is None or before[0] != origin:
        folder = str(Path(origin.file).parent)
        if folder not in sys.path:
            # A network is often several files; those of others come first.
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
    """Return the learnt parameters of a module, and its buffers and frozen parameters."""
    named: dict[str, Tensor] = dict(module.named_parameters())
    learnt = {name: one for name, one in named.items() if one.requires_grad}
    frozen = {name: one for name, one in named.items() if not one.requires_grad}
    return learnt, {**frozen, **dict(module.named_buffers())}


@contextmanager
def forked(device: torch.device | None = None) -> Iterator[None]:
    """Leave torch's random numbers as they were."""
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        yield


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw as after ``torch.manual_seed(seed)``, and leave torch's random numbers as they were."""
    with forked():
        torch.manual_seed(seed)
        yield


def reseed(seed: int, device: torch.device) -> None:
    """Let a device draw as after ``torch.manual_seed(seed)``.

    That asks after every kind of device there is, which takes longer than a small layer.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def first_line(error: BaseException) -> str:
    """Return the kind of an error and the first line of what it says."""
    text = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
