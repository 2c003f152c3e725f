"""The workers of a search, from its request."""

from __future__ import annotations

from pathlib import Path

import torch

from autoloss.executors import Crew, Staffing
from autoloss.experiment.progress import Progress
from autoloss.experiment.request import Request
from autoloss.losses.own import files_of, has_objects


def staffed(
    request: Request,
    device: torch.device,
    crew: Crew,
    progress: Progress | None = None,
    *,
    begins: bool = True,
) -> Staffing:
    """Return the number of workers that train a search.

    Args:
        request: The request.
        device: The device of this process.
        crew: The workers.
        progress: Receives the number and its reason.
        begins: Whether they begin.

    Raises:
        InputError: Several workers are requested on a GPU, or Ray cannot train the search.
    """
    alone = ""
    if callable(request.model) or has_objects(request.losses):
        alone = "the network or a loss is not a file that another process could open"
    found = crew.staff(request.workers, trials=request.trials, device=device, alone=alone)
    if begins:
        crew.begin(
            found,
            losses=list(map(Path, files_of(request.losses))),
            files=_network_files(request),
            told=str if progress is None else progress.noted,
        )
    if progress is not None:
        is_less = request.workers != "auto" and found.count < request.workers
        (progress.noted if is_less or found.sentence else progress.detailed)(found.text)
    return found


def _network_files(request: Request) -> list[Path]:
    """Return the file of the custom network, if it has one."""
    file, _, _ = str(request.model).rpartition(":")
    return [Path(file).resolve()] if file.endswith(".py") else []
