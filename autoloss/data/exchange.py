"""DataFrames of other libraries, through Arrow's stream or the dataframe interchange protocol."""

from __future__ import annotations

from typing import Protocol, TypeGuard

import pandas as pd

from autoloss.core.errors import InputError
from autoloss.data.messages import one_line


class ArrowStream(Protocol):
    """A frame with a stream of Arrow's C interface: polars, pyarrow, ..."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the stream."""
        ...


class Interchange(Protocol):
    """A frame of the dataframe interchange protocol."""

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> object:
        """Return the frame of the protocol."""
        ...


Frame = pd.DataFrame | ArrowStream | Interchange


def is_frame(given: object) -> TypeGuard[Frame]:
    """Return whether an object is a DataFrame, of pandas or of another library."""
    if isinstance(given, pd.DataFrame):
        return True
    # A single column has the stream too.
    has_stream = hasattr(given, "__arrow_c_stream__") and not isinstance(given, pd.Series)
    return has_stream or hasattr(given, "__dataframe__")


def as_pandas(given: Frame, *, name: str = "DATA") -> pd.DataFrame:
    """Convert a frame of any library to pandas; a pandas frame is returned unchanged.

    Args:
        given: The frame.
        name: Its name in messages.

    Raises:
        InputError: The frame cannot be read.
    """
    if isinstance(given, pd.DataFrame):
        return given
    import pyarrow as pa
    from pyarrow.interchange import from_dataframe

    from autoloss.data.parquet import as_frame

    try:
        table = pa.table(given) if hasattr(given, "__arrow_c_stream__") else from_dataframe(given)
        frame = as_frame(table)
    # The other library may raise any exception.
    except Exception as error:
        raise InputError(
            f"{name} must be a table that Arrow can read, but got {type_of(given)}"
            f" ({one_line(error)}); give a pandas DataFrame."
        ) from error
    frame.columns = pd.Index(table.column_names)
    return frame


def not_a_table(given: object, *, name: str) -> InputError:
    """Return the error for an object that is neither a table nor the path of a table."""
    return InputError(
        f"{name} must be a path, 'sklearn:NAME', a DataFrame (of pandas, polars or another"
        " library with Arrow's stream), a Dataset or DataLoader with a length, or (inputs,"
        f" labels), but got a {type_of(given)}."
    )


def type_of(given: object) -> str:
    """Return a type's name with its library, because several libraries have a DataFrame."""
    kind = type(given)
    library = kind.__module__.partition(".")[0]
    return kind.__qualname__ if library == "builtins" else f"{library}.{kind.__qualname__}"
