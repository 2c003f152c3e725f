"""What makes a network of the user's own: its code, and how that is called."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.core.devices import is_out_of_memory
from autoloss.core.errors import InputError

MakeNet = Callable[[int, int], nn.Module]


@dataclass(frozen=True, eq=False)
class OwnModel:
    """A network of the user's own, and how its candidates are trained.

    Args:
        make: Returns a module for a number of features and of outputs; it draws the weights.
        name: Its name.
        file: The Python file that it is in; None where it was given as it is.
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
        from autoloss.models.custom.opening import restored

        if self.file is None:
            return type(self), (self.make, self.name, None, None, self.stacked, self.draws)
        return restored, (self.file, self.name, self.stacked, self.draws)

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
