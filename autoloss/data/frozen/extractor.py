"""The network that turns images or texts into vectors, found by its reference."""

from __future__ import annotations

import functools
import hashlib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError, closest
from autoloss.core.option import full_path
from autoloss.core.own_code import read_code, run_code
from autoloss.data.frozen.libraries import LIBRARIES, Frozen
from autoloss.data.messages import one_line

Seen = Literal["pictures", "texts"]
"""The inputs of a network: Pillow images in colour, or texts."""
FORMS = (*(f"{key}:NAME" for key in LIBRARIES), "FILE.py:NAME")
AT_ONCE = 256
"""The images or texts of a call."""
_GIVEN: dict[str, Extractor] = {}
"""The functions of files that a program has named, by the reference that models keep."""


@dataclass(frozen=True, eq=False)
class Extractor:
    """A network, or a custom function, that returns a vector for each image or text.

    Args:
        name: Its reference as a model keeps it: ``st:NAME``, or ``FILE.py:NAME`` without folders.
        sha256: Fingerprint of its library and weights, or of its name and file.
        function: Returns the vectors of some images or texts.
        file: The full path of its file; None for a network of a library.
    """

    name: str
    sha256: str
    function: Callable[[Sequence[Any]], Any]
    file: str | None = None

    def vectors(self, batch: Sequence[Any]) -> NDArray[np.float32]:
        """Return the vectors of some images or texts, (B, D).

        Raises:
            InputError: The function fails, or returns anything else.
        """
        try:
            given = self.function(batch)
            if hasattr(given, "detach"):
                given = given.detach().cpu().float().numpy()
            found = np.asarray(given, dtype=np.float32)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"features must return vectors, but {self.name} gave {self._line(error)}"
                f"{type(error).__name__}: {one_line(error)[:200]}."
            ) from error
        if found.ndim != 2 or len(found) != len(batch) or not found.shape[1]:
            raise InputError(
                f"features must return a vector for each of {len(batch)} inputs, but {self.name}"
                f" returned an array of shape {found.shape}."
            )
        if not np.isfinite(found).all():
            raise InputError(
                f"features must return finite numbers, but {self.name} returned NaN or infinity."
            )
        return found

    def _line(self, error: BaseException) -> str:
        """Return the line of the user's file at which an error arose."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == self.file]
        return f"line {lines[-1]}: " if lines else ""


def open_extractor(reference: str, seen: Seen) -> Extractor:
    """Return the network of a reference.

    The code of a file runs, as by ``import``. A network of a library is loaded by the library,
    from its own cache or from a folder.

    Args:
        reference: ``st:NAME_OR_PATH``, ``hf:NAME_OR_PATH``, ``timm:NAME``, ``torchvision:NAME`` or
            ``FILE.py:NAME``.
        seen: Whether it reads images or texts.

    Raises:
        InputError: It is nothing of these, the library is not installed, or it has no such model.
    """
    file, _, name = reference.rpartition(":")
    if file.endswith(".py") and name.isidentifier():
        return _of_file(file, name)
    library, _, place = reference.partition(":")
    if library not in LIBRARIES or not place:
        hint = closest(library, [*LIBRARIES]) if library else "."
        raise InputError(
            f"features must be {', '.join(FORMS[:-1])} or {FORMS[-1]}, but got"
            f" features={one_line(reference)!r:.80}{hint}"
        )
    place = full_path(place)
    frozen = _of_library(library, place, seen)
    # Each library pools the numbers of a network differently.
    sha256 = _digest(library, seen, frozen.sha256)
    return Extractor(f"{library}:{place}", sha256, frozen.vectors)


def take_in_features(reference: str | None) -> None:
    """Run the file of a custom function, so that a model that names it can call it.

    Args:
        reference: ``FILE.py:NAME``; None, or the reference of a library, for none.

    Raises:
        InputError: The file cannot be read, fails, or has no such function.
    """
    file, _, name = (reference or "").rpartition(":")
    if file.endswith(".py"):
        _of_file(file, name)


def kept_extractor(name: str, sha256: str, seen: Seen) -> Extractor:
    """Return the network that a model keeps by its reference.

    Args:
        name: The reference.
        sha256: Its fingerprint in the search.
        seen: Whether it reads images or texts.

    Raises:
        InputError: It is a function of a file that nobody named, or it has changed.
    """
    if ".py:" in name:
        found = _GIVEN.get(name)
        if found is None:
            raise InputError(
                f"features must be given for this model, which reads the vectors of {name}: give"
                " it by features= or --features FILE.py:NAME, because a model keeps no code."
            )
    else:
        found = open_extractor(name, seen)
    if found.sha256 != sha256:
        raise InputError(
            f"features must be {name} as it was in the search, but it has changed: search again."
        )
    return found


def _of_file(path: str, name: str) -> Extractor:
    """Return a function of a Python file, and remember it for models."""
    source, origin = read_code(path, argument="features")
    kept = f"{Path(origin.file).name}:{name}"
    before = _GIVEN.get(kept)
    sha256 = _digest(name, origin.sha256)
    if before is not None and (before.file, before.sha256) == (origin.file, sha256):
        return before
    module = run_code(Path(path), source)
    function: Any = vars(module).get(name)
    if not callable(function):
        known = [key for key, value in vars(module).items() if callable(value)]
        raise InputError(
            f"features must name a function of {path}, but it has no {name!r}"
            f"{closest(name, known) if known else '.'}"
        )
    _GIVEN[kept] = Extractor(kept, sha256, function, origin.file)
    return _GIVEN[kept]


def _digest(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


@functools.cache
def _of_library(library: str, place: str, seen: Seen) -> Frozen:
    """Return a network of a library.

    Raises:
        InputError: The library is not installed, or has no such model.
    """
    known = LIBRARIES[library]
    if seen not in known.reads:
        raise InputError(
            f"features must be a network of {seen}, but {library}:{place} reads"
            f" {' or '.join(known.reads)}."
        )
    try:
        return known.load(place, seen)
    except ImportError as error:
        found = f"{error.name} is not there" if error.name else one_line(error)[:200]
        raise InputError(
            f"features={library}:{place} must have {known.package} installed, but {found}: pip"
            f" install 'autoloss[{library}]'."
        ) from error
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"features must name a model that {known.package} can load, but {library}:{place} gave"
            f" {type(error).__name__}: {one_line(error)[:200]}."
        ) from error
