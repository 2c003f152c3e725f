"""Which loss should train this classifier, and is it really better than tuned cross-entropy?"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import TYPE_CHECKING

from autoloss.core import errors
from autoloss.core.lazy import make_lazy

if TYPE_CHECKING:
    from autoloss import losses
    from autoloss.api import join, load, plan, resume, search, ship
    from autoloss.core.errors import AutolossError, InputError
    from autoloss.diagnosis.run import diagnose
    from autoloss.estimator import AutoLossClassifier
    from autoloss.inference.classifier import Classifier
    from autoloss.losses import LossSpec
    from autoloss.search import SearchResult, Study
    from autoloss.search.folders import list_studies

__all__ = [
    "AutoLossClassifier",
    "AutolossError",
    "Classifier",
    "InputError",
    "LossSpec",
    "SearchResult",
    "Study",
    "diagnose",
    "join",
    "list_studies",
    "load",
    "losses",
    "plan",
    "resume",
    "search",
    "ship",
]


def __getattr__(name: str) -> str:
    if name == "__version__":
        return importlib.metadata.version("autoloss")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


make_lazy(__name__)
# Other programs import the errors by this name.
sys.modules["autoloss.errors"] = errors
