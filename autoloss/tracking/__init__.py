"""The MLflow dashboard of a study: a parent run, a child run a trial, written in the background.

Only this folder imports mlflow, and not before the first run is written.
"""

from __future__ import annotations

from autoloss.tracking.dashboard import Dashboard, dashboard_link
from autoloss.tracking.protocol import NullTracker, Pending, Tracking
from autoloss.tracking.tracker import Tracker

__all__ = ["Dashboard", "NullTracker", "Pending", "Tracker", "Tracking", "dashboard_link"]
