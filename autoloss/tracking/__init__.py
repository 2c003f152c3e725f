"""The MLflow dashboard of a study: a parent run, a child run a trial, written in the background.

Only this folder imports mlflow, and not before the first run is written.

Floor 6. Imports from floors 1 to 5.
"""

from __future__ import annotations

from autoloss.tracking.dashboard import Dashboard, dashboard_link, dashboard_of
from autoloss.tracking.protocol import ClosedTracker, NullTracker, Pending, Tracking
from autoloss.tracking.shelf import Shelf, check_register
from autoloss.tracking.tracker import Tracker
from autoloss.tracking.unfinished import BrokenStore
from autoloss.tracking.wishes import Wish, read_wish

__all__ = [
    "BrokenStore",
    "ClosedTracker",
    "Dashboard",
    "NullTracker",
    "Pending",
    "Shelf",
    "Tracker",
    "Tracking",
    "Wish",
    "check_register",
    "dashboard_link",
    "dashboard_of",
    "read_wish",
]
