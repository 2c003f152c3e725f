"""Tables: read a table, divide its rows, and encode its columns.

Floor 2. Imports from floor 1, and the declarations of metrics.
"""

from __future__ import annotations

from autoloss.data.encode import TableEncoding
from autoloss.data.images.encode import ImageEncoding
from autoloss.data.images.inputs import ImageInputs, ImageSchema
from autoloss.data.inputs import TableInputs, TableSchema
from autoloss.data.options import DataOptions
from autoloss.data.parts import Fold, LockedPart, Part
from autoloss.data.prepare import prepare
from autoloss.data.read import Source, read_table
from autoloss.data.sequences.encode import SequenceEncoding
from autoloss.data.sequences.inputs import SequenceInputs, SequenceSchema, Windows
from autoloss.data.stored import StoredInputs
from autoloss.data.study import StudyData
from autoloss.data.tensors.encode import TensorEncoding
from autoloss.data.tensors.inputs import TensorInputs, TensorSchema
from autoloss.data.tensors.tokens import TokenTensorInputs, TokenTensorSchema

__all__ = [
    "DataOptions",
    "Fold",
    "ImageEncoding",
    "ImageInputs",
    "ImageSchema",
    "LockedPart",
    "Part",
    "SequenceEncoding",
    "SequenceInputs",
    "SequenceSchema",
    "Source",
    "StoredInputs",
    "StudyData",
    "TableEncoding",
    "TableInputs",
    "TableSchema",
    "TensorEncoding",
    "TensorInputs",
    "TensorSchema",
    "TokenTensorInputs",
    "TokenTensorSchema",
    "Windows",
    "prepare",
    "read_table",
]
