"""The workers that a request asks for."""

from __future__ import annotations

from typing import Literal, get_args

from autoloss.core.errors import InputError
from autoloss.executors.crew import Crew
from autoloss.executors.process_crew import ProcessCrew

Place = Literal["local", "ray"]
"""Where candidates train: on this machine, or on a Ray cluster."""


def crew_of(executor: str | None, address: str | None) -> Crew:
    """Return the workers that a request asks for, before they begin.

    Args:
        executor: ``"local"`` or ``"ray"``.
        address: The address of a Ray cluster; None for none.

    Raises:
        InputError: The executor is unknown, or an address is given where there is no cluster.
    """
    if executor not in get_args(Place):
        raise InputError(f"executor must be local or ray, but got executor={executor!r}.")
    if executor == "ray":
        # Other searches do not load it.
        from autoloss.executors.ray import RayCrew

        return RayCrew(address)
    if address is not None:
        raise InputError(
            f"address must be that of a Ray cluster, but got address={address!r} with "
            "executor='local': add --executor ray."
        )
    return ProcessCrew()
