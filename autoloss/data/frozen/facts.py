"""Facts on a model of frozen features: signature, packages, and the limits of its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.data.frozen.libraries import LIBRARIES
from autoloss.data.images.encode import picture_example


def frozen_signature(encodings: Sequence[FrozenEncoding]) -> list[tuple[str, str]]:
    """Return the name of the column; its cells are text, paths or base64."""
    return [(encodings[0].column, "string")]


def frozen_example(encodings: Sequence[FrozenEncoding]) -> dict[str, Any]:
    """Return a made-up row, in the form of MLflow's scoring server."""
    first = encodings[0]
    if first.seen == "pictures":
        return picture_example(first.column)
    return {"dataframe_split": {"columns": [first.column], "data": [["a short text"]]}}


def frozen_needs(encodings: Sequence[FrozenEncoding]) -> tuple[str, ...]:
    """Return the packages that compute the vectors."""
    library, _, _ = encodings[0].reference.partition(":")
    own = (LIBRARIES[library].package,) if library in LIBRARIES else ()
    return (*own, "pillow") if encodings[0].seen == "pictures" else own


def frozen_scope(encoding: FrozenEncoding) -> str:
    """Return the limits of the verdict of frozen features."""
    return (
        f"The verdict holds for frozen features of {encoding.reference}; training that network"
        " further (fine-tuning) was not compared."
    )


def frozen_code(encoding: FrozenEncoding) -> str:
    """Return the custom function that computes the vectors; empty for a library."""
    return encoding.reference if ".py:" in encoding.reference else ""
