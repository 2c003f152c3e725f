"""The kinds of input: all that a search, a model and its readers need of each, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from autoloss.data.encode import TableEncoding
from autoloss.data.encoding import Encoding, RowReader
from autoloss.data.folds import Encoder
from autoloss.data.frozen.encode import FrozenEncoding
from autoloss.data.frozen.facts import (
    frozen_code,
    frozen_example,
    frozen_needs,
    frozen_scope,
    frozen_signature,
)
from autoloss.data.frozen.folds import FrozenEncoder
from autoloss.data.frozen.rows import FrozenReader
from autoloss.data.images.encode import ImageEncoding, image_example, image_signature
from autoloss.data.images.folds import ImageEncoder
from autoloss.data.images.rows import ImageReader
from autoloss.data.sequences.encode import SequenceEncoding
from autoloss.data.sequences.folds import SequenceEncoder
from autoloss.data.sequences.rows import SequenceReader, sequence_example, sequence_signature
from autoloss.data.signature import table_example, table_signature
from autoloss.data.table_folds import TableEncoder
from autoloss.data.table_rows import TableReader
from autoloss.data.tensors.encode import TensorEncoding, tensor_example, tensor_signature
from autoloss.data.tensors.folds import TensorEncoder
from autoloss.data.tensors.rows import TensorReader
from autoloss.data.tensors.tokens import TokenTensorEncoding, token_example


@dataclass(frozen=True)
class InputKind:
    """A kind of input.

    Args:
        encoder: Encodes the rows of a study as folds.
        encoding: The fitted encoding of the rows.
        reader: Reads new rows for the distinct encodings of a model.
        signature: Maps the encodings to the name and MLflow type of every column.
        example: Maps the encodings to made-up rows in the form of MLflow's scoring server.
        of_tokens: Whether the tokens of a row have the labels.
        not_boosted: Why gradient boosting, the reference model of tables, cannot learn from the
            rows; empty if it can.
        space: Maps an encoding to the search space in place of the default; empty for that of the
            kind of label.
        needs: Maps the encodings to the packages that a model needs besides every model's
            packages.
        scope: Maps an encoding to a sentence on the limits of a verdict; empty for nothing.
        own_code: Maps an encoding to the custom code that a model needs and does not
            hold; empty for none.
        provides: Needs of losses that only inputs of this kind meet.
        built_in: Whether there is a built-in network for it.
    """

    encoder: type[Encoder]
    encoding: type[Encoding]
    reader: Callable[[Sequence[Any]], RowReader]
    signature: Callable[[Sequence[Any]], list[tuple[str, str]]]
    example: Callable[[Sequence[Any]], dict[str, Any]]
    of_tokens: bool = False
    not_boosted: str = ""
    space: Callable[[Any], str] = lambda encoding: ""
    needs: Callable[[Sequence[Any]], tuple[str, ...]] = lambda encodings: ()
    scope: Callable[[Any], str] = lambda encoding: ""
    own_code: Callable[[Any], str] = lambda encoding: ""
    provides: tuple[str, ...] = ()
    built_in: bool = True


KINDS = {
    "table": InputKind(
        TableEncoder,
        TableEncoding,
        TableReader,
        table_signature,
        table_example,
        space=lambda encoding: "text" if encoding.is_text else "",
    ),
    "images": InputKind(
        ImageEncoder,
        ImageEncoding,
        ImageReader,
        image_signature,
        image_example,
        not_boosted="it learns from columns, not from images",
        space=lambda encoding: "image",
        provides=("cutmix",),
        needs=lambda encodings: ("pillow",),
    ),
    "frozen": InputKind(
        FrozenEncoder,
        FrozenEncoding,
        FrozenReader,
        frozen_signature,
        frozen_example,
        not_boosted="it learns from columns, not from the vectors of a frozen network",
        needs=frozen_needs,
        scope=frozen_scope,
        own_code=frozen_code,
    ),
    "sequences": InputKind(
        SequenceEncoder,
        SequenceEncoding,
        SequenceReader,
        sequence_signature,
        sequence_example,
        of_tokens=True,
        not_boosted="it learns from rows, not from sequences",
    ),
    "tensors": InputKind(
        TensorEncoder,
        TensorEncoding,
        TensorReader,
        tensor_signature,
        tensor_example,
        not_boosted="it learns from columns, not from tensors",
        built_in=False,
    ),
    "token_tensors": InputKind(
        TensorEncoder,
        TokenTensorEncoding,
        TensorReader,
        tensor_signature,
        token_example,
        of_tokens=True,
        not_boosted="it learns from columns, not from tensors",
        built_in=False,
    ),
}
"""The kinds by the name that a study's sources and a stored model have."""


def kind_of_encoding(encoding: Encoding) -> InputKind:
    """Return the kind of input of a fitted encoding."""
    return KINDS[_name_of(encoding)]


def encoding_state(encoding: Encoding) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return an encoding of any kind as JSON values and tensors, for `encoding_from`."""
    state, tensors = encoding.to_state()
    return {"inputs": _name_of(encoding), **state}, tensors


def encoding_from(state: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    """Return an encoding from its stored state; a state without its kind is that of a table.

    Raises:
        InputError: This version cannot read the state.
        KeyError: There is no such kind.
    """
    return KINDS[state.get("inputs", "table")].encoding.from_state(state, tensors)


def _name_of(encoding: Encoding) -> str:
    return next(name for name, kind in KINDS.items() if kind.encoding is type(encoding))
