"""Which loss should train this classifier, and is it really better than tuned cross-entropy?"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
import types
from typing import TYPE_CHECKING, Any

from autoloss.core import errors

if TYPE_CHECKING:
    from autoloss import losses
    from autoloss.api import load, plan, resume, search, ship
    from autoloss.core.errors import AutolossError, InputError
    from autoloss.diagnosis.run import diagnose
    from autoloss.estimator import AutoLossClassifier
    from autoloss.inference.classifier import Classifier
    from autoloss.losses import LossSpec
    from autoloss.search import SearchResult, Study
    from autoloss.search.folders import list_studies

# Loaded when first used: `import autoloss` takes no time, and the command line answers at once.
_HOMES = {
    "AutoLossClassifier": "autoloss.estimator",
    "AutolossError": "autoloss.core.errors",
    "Classifier": "autoloss.inference.classifier",
    "InputError": "autoloss.core.errors",
    "LossSpec": "autoloss.losses",
    "SearchResult": "autoloss.search",
    "Study": "autoloss.search",
    "diagnose": "autoloss.diagnosis.run",
    "list_studies": "autoloss.search.folders",
    "load": "autoloss.api",
    "plan": "autoloss.api",
    "resume": "autoloss.api",
    "ship": "autoloss.api",
}

__all__ = [
    "AutoLossClassifier",
    "AutolossError",
    "Classifier",
    "InputError",
    "LossSpec",
    "SearchResult",
    "Study",
    "diagnose",
    "list_studies",
    "load",
    "losses",
    "plan",
    "resume",
    "search",
    "ship",
]


def __getattr__(name: str) -> Any:
    if name == "losses":
        return importlib.import_module("autoloss.losses")
    if name == "__version__":
        return importlib.metadata.version("autoloss")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


class _Package(types.ModuleType):
    """This package: `search` is the function, also once the folder of that name is imported."""

    @property
    def search(self) -> Any:
        """Return `autoloss.api.search`."""
        return importlib.import_module("autoloss.api").search

    @search.setter
    def search(self, value: object) -> None:
        """Ignore what the import of ``autoloss.search`` sets: it stays in `sys.modules`."""


sys.modules[__name__].__class__ = _Package
# Other programs import the errors by this name.
sys.modules["autoloss.errors"] = errors
