"""The search: spaces, the study with ask and tell, the choice and the verdict.

Names are loaded when they are first used: `space_names` for a help text needs no Optuna.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoloss.search.confirm import Shipped, detectable_difference, unopposed
    from autoloss.search.corrected import detectable_nested
    from autoloss.search.evidence import Evidence
    from autoloss.search.finalists import FinalistChoice, pick_finalists
    from autoloss.search.finish import confirmed, summarise, trusted
    from autoloss.search.gains import gain_steps, steps_of
    from autoloss.search.looks import earlier_looks, look_sentence
    from autoloss.search.metric_rows import example_losses, metric_on_rows
    from autoloss.search.naming import check_name, free_name, safe_name
    from autoloss.search.nested import OuterResult, nested_verdict, pooled
    from autoloss.search.posthoc import fit_posthoc
    from autoloss.search.quota import Plan, plan_families
    from autoloss.search.replicates import Replicates
    from autoloss.search.result import SearchResult
    from autoloss.search.scoring import Scorer
    from autoloss.search.select import Choice, ExampleLosses, choose
    from autoloss.search.shipped_spaces import space_names
    from autoloss.search.snapshot import StudySnapshot
    from autoloss.search.space import Space
    from autoloss.search.space_reader import load_space
    from autoloss.search.study import Study
    from autoloss.search.trial import Trial

_HOMES = {
    "Choice": "select",
    "Evidence": "evidence",
    "ExampleLosses": "select",
    "FinalistChoice": "finalists",
    "OuterResult": "nested",
    "Plan": "quota",
    "Replicates": "replicates",
    "Scorer": "scoring",
    "SearchResult": "result",
    "Shipped": "confirm",
    "Space": "space",
    "Study": "study",
    "StudySnapshot": "snapshot",
    "Trial": "trial",
    "check_name": "naming",
    "choose": "select",
    "confirmed": "finish",
    "detectable_difference": "confirm",
    "detectable_nested": "corrected",
    "earlier_looks": "looks",
    "example_losses": "metric_rows",
    "fit_posthoc": "posthoc",
    "gain_steps": "gains",
    "load_space": "space_reader",
    "look_sentence": "looks",
    "metric_on_rows": "metric_rows",
    "nested_verdict": "nested",
    "pick_finalists": "finalists",
    "plan_families": "quota",
    "pooled": "nested",
    "free_name": "naming",
    "safe_name": "naming",
    "space_names": "shipped_spaces",
    "steps_of": "gains",
    "summarise": "finish",
    "trusted": "finish",
    "unopposed": "confirm",
}

__all__ = [
    "Choice",
    "Evidence",
    "ExampleLosses",
    "FinalistChoice",
    "OuterResult",
    "Plan",
    "Replicates",
    "Scorer",
    "SearchResult",
    "Shipped",
    "Space",
    "Study",
    "StudySnapshot",
    "Trial",
    "check_name",
    "choose",
    "confirmed",
    "detectable_difference",
    "detectable_nested",
    "earlier_looks",
    "example_losses",
    "fit_posthoc",
    "free_name",
    "gain_steps",
    "load_space",
    "look_sentence",
    "metric_on_rows",
    "nested_verdict",
    "pick_finalists",
    "plan_families",
    "pooled",
    "safe_name",
    "space_names",
    "steps_of",
    "summarise",
    "trusted",
    "unopposed",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
