from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import autoloss
from autoloss.cli import app
from autoloss.core.errors import SearchInterrupted
from autoloss.records import Plan, Summary, Update
from tests.report.summaries import make_summary


def make_plan(**changes: Any) -> Plan:
    plan = {
        "data": make_summary().data,
        "families": ("cross_entropy", "focal"),
        "dropped": ("brier",),
        "trials": 64,
        "quota": 6,
        "together": 32,
        "expected_seconds": 81.2,
        "detectable": 0.013,
        "device": "cpu",
        "name": "churn",
        "notes": ("3 constant columns left out.",),
    }
    return Plan(**plan | changes)


def make_update(**changes: Any) -> Update:
    update = {
        "phase": "search",
        "done": 12,
        "total": 64,
        "fraction": 0.2,
        "elapsed": 10.0,
        "left": 40.0,
        "rate": 1.25,
        "best_label": "focal gamma=2",
        "best_metric": 0.0231,
        "best_log_loss": 0.0812,
    }
    return Update(**update | changes)


@dataclass
class FakeApi:
    """Stands in for `autoloss.api`: records its arguments, and answers at once."""

    summary: Summary = field(default_factory=make_summary)
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = field(default_factory=list)
    during: Callable[[], None] = lambda: None
    unwritten: str = ""

    def search(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(("search", args, kwargs))
        return self._run(kwargs["progress"])

    def resume(self, *args: Any, **kwargs: Any) -> Any:
        self.calls.append(("resume", args, kwargs))
        return self._run(kwargs["progress"])

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        self.calls.append(("plan", args, kwargs))
        return make_plan()

    def _run(self, progress: Any) -> Any:
        progress.planned(make_plan())
        progress.noted("Two classes have fewer than ten rows.")
        progress.updated(make_update())
        try:
            self.during()
        except KeyboardInterrupt as stop:
            raise SearchInterrupted(self.summary.name) from stop
        progress.updated(make_update(phase="final", fraction=1.0, left=0.0))
        return SimpleNamespace(
            summary=self.summary, verdict=self.summary.verdict, unwritten=self.unwritten
        )


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    fake = FakeApi()
    monkeypatch.setitem(sys.modules, "autoloss.api", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(autoloss, "api", fake, raising=False)
    return fake


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the program in this process."""
    return lambda *words, **options: CliRunner().invoke(app, list(map(str, words)), **options)
