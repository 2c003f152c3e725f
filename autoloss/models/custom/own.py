"""A custom network: reading ``model=``, and calling its code."""

from __future__ import annotations

import copy
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.core.devices import is_out_of_memory
from autoloss.core.errors import InputError
from autoloss.core.own_code import module_of, named_in

AUTO = "auto"
MakeNet = Callable[..., nn.Module]
Model = str | MakeNet | nn.Module
"""`AUTO`, ``"FILE.py:NAME"``, a function that makes a network, or a network to begin from."""
_OUTPUTS = ("n_outputs", "n_classes", "num_classes", "num_labels")


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A custom network, and the way its candidates are trained.

    Args:
        make: Returns a module with its weights drawn. It gets the arguments of its signature, see
            `arguments_of`.
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
        """Return the arguments for a pickle: the file in place of its function, if any."""
        if self.file is None:
            return type(self), (self.make, self.name, None, None, self.stacked, self.draws)
        return _restored, (self.file, self.name, self.stacked, self.draws)

    def module(self, sizes: Mapping[str, int], seed: int, *, example: Any) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``.

        Args:
            sizes: The numbers that describe inputs and outputs, by name; ``n_outputs`` is the
                last.
            seed: The seed.
            example: The inputs of a batch of one example, all zero, in the form in which the
                module gets them.

        Raises:
            InputError: If the user's code fails or returns no module.
        """
        rule = f"return a network for {', '.join(f'{key}={size}' for key, size in sizes.items())}"
        with seeded(seed), self.guarded(rule):
            places, names = arguments_of(self.make, sizes, example)
            made: Any = self.make(*places, **names)
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


def arguments_of(
    make: MakeNet, sizes: Mapping[str, int], example: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments, by place and by name, with which a function makes a network.

    A function of ``(example, n_outputs)`` gets an example. A function that needs no argument, or
    only the number of outputs, gets it by name: ``n_outputs``, ``n_classes``, ``num_classes`` or
    ``num_labels``. Others get all sizes.

    Args:
        make: The function.
        sizes: The sizes by name; ``n_outputs`` is the last.
        example: The example.
    """
    try:
        known = inspect.signature(make).parameters
    except (TypeError, ValueError):
        return tuple(sizes.values()), {}
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in known.values() if one.default is one.empty and one.kind in kinds]
    n_outputs = sizes["n_outputs"]
    if needed and (needed[0].name == "example" or (len(needed) == 2 and len(sizes) == 1)):
        return (example, n_outputs)[: max(len(needed), 1)], {}
    takes_any = any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in known.values())
    names = {name: n_outputs for name in _OUTPUTS if name in known}
    if takes_any or len(needed) > 1 or (needed and needed[0].name not in names):
        return tuple(sizes.values()), {}
    return (), names


@dataclass(frozen=True, eq=False)
class _Copies:
    """Makes copies of a network, so that every candidate begins from its weights.

    Args:
        module: The network.
    """

    module: nn.Module

    def __call__(self) -> nn.Module:
        """Return a copy."""
        try:
            return copy.deepcopy(self.module).cpu()
        except Exception as error:
            raise InputError(
                "model must be a network that copy.deepcopy can copy, but"
                f" {type(self.module).__name__} gave {first_line(error)}: give a function that"
                " makes it."
            ) from error


def open_model(model: Model) -> OwnModel | None:
    """Return a custom network; None for the built-in network.

    The code of a file runs, as by ``import``, and can import files beside it. A file runs again
    only after a change.

    Args:
        model: ``"auto"``, ``"FILE.py:NAME"``, a function that returns a module, or a module that
            every candidate begins from.

    Raises:
        InputError: If its type is another, or the file cannot be read, fails or lacks the name.
    """
    if model == AUTO:
        return None
    if isinstance(model, str):
        return _from_file(model)
    if isinstance(model, nn.Module):
        return OwnModel(_Copies(model), type(model).__name__)
    if not callable(model):
        raise InputError(
            "model must be auto, FILE.py:NAME, a function that returns a network, or a network, "
            f"but got {type(model).__name__}."
        )
    return OwnModel(model, getattr(model, "__name__", type(model).__name__))


def _from_file(place: str) -> OwnModel:
    """Return the network of ``"FILE.py:NAME"``."""
    path, separator, name = place.rpartition(":")
    if not separator or not path.endswith(".py") or not name.isidentifier():
        raise InputError(f"model must be auto or FILE.py:NAME, but got model={place!r}.")
    module, origin = module_of(path, argument="model")
    make = named_in(module, name, place=path, argument="model")
    if isinstance(make, nn.Module):
        return OwnModel(_Copies(make), name, origin.file, origin.sha256)
    if not callable(make):
        raise InputError(
            f"model must name a function that returns a network, but {name} of {path} is"
            f" {type(make).__name__}."
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
