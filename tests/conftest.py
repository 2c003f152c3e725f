"""Fixtures of all tests: no test writes into the repository; tests skip without their hardware."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.faults.counts import SCALE
from tests.spaces import SMALL, TWO_BASES

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
TERMINAL = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the slow tests too")


def pytest_configure(config: pytest.Config) -> None:
    # Before anything imports mlflow: its client is made at import.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # With one thread a search trains in this process, where tests can look at it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # The speed of a busy machine says nothing of the tested code.
    slow = [hypothesis.HealthCheck.too_slow]
    hypothesis.settings.register_profile("any machine", deadline=None, suppress_health_check=slow)
    hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    lacking = {}
    if not config.getoption("--slow"):
        lacking["slow"] = "slow: run with --slow"
    if any(item.get_closest_marker("gpu") for item in items) and not _has_gpu():
        lacking["gpu"] = "needs a GPU"
    if not any(map(shutil.which, BROWSERS)):
        lacking["browser"] = "needs a headless browser"
    for item in items:
        for name, reason in lacking.items():
            if name == "slow" and SCALE in os.environ and item.get_closest_marker("faults"):
                continue
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=reason))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@pytest.fixture(autouse=True, scope="session")
def _cache_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded images lie in a folder of the test session."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _mlflow_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """MLflow logs into a folder of the test session unless a test says otherwise."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("mlflow")
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{(folder / 'mlflow.db').as_posix()}")
    # MLflow has no public variable for the files of a local store.
    patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(folder / "mlruns"))
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output does not depend on the terminal that the tests were started from."""
    for name in TERMINAL:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_losses_forgotten() -> Iterator[None]:
    """A loss that a test declares is forgotten after it."""
    from autoloss.losses.registry import OWN, forget_results

    before = dict(OWN)
    yield
    if before != OWN:
        OWN.clear()
        OWN.update(before)
        forget_results()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A space of three families; a search of it takes a moment."""
    return _written(SMALL, tmp_path)


@pytest.fixture
def space(tmp_path: Path) -> Path:
    """A space of two families; a search of it takes a moment."""
    return _written(TWO_BASES, tmp_path)


def _written(text: str, folder: Path) -> Path:
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database with its tables, which take seconds to create."""
    from autoloss.tracking.experiment import connect

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        connect(f"sqlite:///{path.as_posix()}").search_experiments()
    return path
