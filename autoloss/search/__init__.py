"""The search: spaces, the study with ask and tell, the choice and the verdict.

Names are loaded when they are first used: `space_names` for a help text needs no Optuna.

Floor 6. Imports from floors 1 to 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloss.core.lazy import make_lazy

if TYPE_CHECKING:
    from autoloss.search.confirming import confirmed, items_text, trusted, verdict_by_tests
    from autoloss.search.evidence import Evidence, StudySnapshot
    from autoloss.search.finish import summarise
    from autoloss.search.folders import earlier_looks, look_sentence
    from autoloss.search.naming import check_name, free_name, safe_name
    from autoloss.search.quota import FamilyPlan, plan_families
    from autoloss.search.result import SearchResult
    from autoloss.search.scoring import Scorer
    from autoloss.search.shipped_spaces import space_names
    from autoloss.search.space import Space
    from autoloss.search.space_reader import load_space, load_usual
    from autoloss.search.study import Study
    from autoloss.search.trial import Trial

__all__ = [
    "Evidence",
    "FamilyPlan",
    "Scorer",
    "SearchResult",
    "Space",
    "Study",
    "StudySnapshot",
    "Trial",
    "check_name",
    "confirmed",
    "earlier_looks",
    "free_name",
    "items_text",
    "load_space",
    "load_usual",
    "look_sentence",
    "plan_families",
    "safe_name",
    "space_names",
    "summarise",
    "trusted",
    "verdict_by_tests",
]

make_lazy(__name__)
