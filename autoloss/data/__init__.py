"""Tables: reading them, dividing their rows, and encoding their columns."""

from __future__ import annotations

from autoloss.data.encode import TableEncoding
from autoloss.data.inputs import TableInputs, TableSchema
from autoloss.data.parts import DataOptions, LockedPart, Part, StudyData
from autoloss.data.prepare import prepare
from autoloss.data.read import Source, read_table

__all__ = [
    "DataOptions",
    "LockedPart",
    "Part",
    "Source",
    "StudyData",
    "TableEncoding",
    "TableInputs",
    "TableSchema",
    "prepare",
    "read_table",
]
