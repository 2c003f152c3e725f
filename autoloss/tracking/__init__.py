"""Shows a study in MLflow: a parent run, a child run per trial, views, models and the report.

No other folder imports mlflow; this folder imports it with the first write.

Floor 6. Imports from floors 1 to 5.
"""

from __future__ import annotations

from autoloss.tracking.chosen_trial import ChosenTrial, read_chosen_trial
from autoloss.tracking.dashboard import Dashboard, dashboard_link, dashboard_of
from autoloss.tracking.database import BrokenStore
from autoloss.tracking.guest import GuestTracker, guest_uri
from autoloss.tracking.identity import Identity
from autoloss.tracking.models import check_register
from autoloss.tracking.protocol import ClosedTracker, NullTracker, Pending, SavedModels, Tracking
from autoloss.tracking.tracker import Tracker

__all__ = [
    "BrokenStore",
    "ChosenTrial",
    "ClosedTracker",
    "Dashboard",
    "GuestTracker",
    "Identity",
    "NullTracker",
    "Pending",
    "SavedModels",
    "Tracker",
    "Tracking",
    "check_register",
    "dashboard_link",
    "dashboard_of",
    "guest_uri",
    "read_chosen_trial",
]
