"""The search: spaces, the study with ask and tell, the choice and the verdict.

Names are loaded when they are first used: `space_names` for a help text needs no Optuna.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoloss.search.confirm import Shipped, detectable_difference
    from autoloss.search.naming import check_name, safe_name
    from autoloss.search.quota import Plan, plan_families
    from autoloss.search.result import SearchResult
    from autoloss.search.select import Choice, ExampleLosses, choose
    from autoloss.search.space import Space, space_names
    from autoloss.search.space_reader import load_space
    from autoloss.search.study import Study
    from autoloss.search.trial import Trial

_HOMES = {
    "Choice": "select",
    "ExampleLosses": "select",
    "Plan": "quota",
    "SearchResult": "result",
    "Shipped": "confirm",
    "Space": "space",
    "Study": "study",
    "Trial": "trial",
    "check_name": "naming",
    "choose": "select",
    "detectable_difference": "confirm",
    "load_space": "space_reader",
    "plan_families": "quota",
    "safe_name": "naming",
    "space_names": "space",
}

__all__ = [
    "Choice",
    "ExampleLosses",
    "Plan",
    "SearchResult",
    "Shipped",
    "Space",
    "Study",
    "Trial",
    "check_name",
    "choose",
    "detectable_difference",
    "load_space",
    "plan_families",
    "safe_name",
    "space_names",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
