"""Progress in Python: shown by default in a terminal or notebook, never if switched off."""

from __future__ import annotations

import inspect
import io
import sys
from types import SimpleNamespace

import pytest

import autoloss
from autoloss import api
from autoloss.core.errors import InputError
from autoloss.experiment import shipping, watching
from autoloss.experiment.progress import Silent
from autoloss.experiment.watching import Bar, Lines, Page
from tests.cli.conftest import make_plan, make_update


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def as_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Let standard error be a terminal; within a test, since pytest sets it before each."""
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    return found


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for IPython with a kernel; returns the texts of the cell, an entry per change."""
    shown: list[str] = []

    def display(value: object, display_id: bool) -> SimpleNamespace:
        assert display_id
        return SimpleNamespace(update=lambda one: shown.append(one._repr_html_()))

    shell = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", ipython)  # type: ignore[arg-type]
    display_module = SimpleNamespace(display=display)
    monkeypatch.setitem(sys.modules, "IPython.display", display_module)  # type: ignore[arg-type]
    return shown


def seen(progress: object) -> object:
    with watching.watching(progress) as found:
        return found


def test_nothing_is_shown_without_a_terminal_or_notebook(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert isinstance(seen(None), Silent)
    assert isinstance(seen(False), Silent)
    assert isinstance(seen(True), Lines)
    mine = Silent()
    assert seen(mine) is mine
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_bar_unless_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = as_terminal(monkeypatch)
    assert isinstance(seen(False), Silent)
    with watching.watching(None) as bar:
        assert isinstance(bar, Bar)
        bar.planned(make_plan(metric="accuracy"))
        bar.noted("Two classes [b]are[/b] rare.")
        bar.updated(make_update(best_metric=0.9))
    text = terminal.getvalue()
    assert "64 trials of 2 families on cpu, about 1 min 21 s." in text
    assert "[b]are[/b]" in text
    assert "accuracy 90.00%" in text


def test_a_dumb_terminal_shows_nothing_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(seen(None), Silent)
    assert isinstance(seen(True), Lines)


def test_a_notebook_shows_a_page_of_its_own(notebook: list[str]) -> None:
    assert isinstance(seen(False), Silent)
    page = seen(None)
    assert isinstance(page, Page)
    page.planned(make_plan())
    page.noted("<script>alert(1)</script>")
    page.updated(make_update(fraction=0.25))
    assert 'value="0.250"' in notebook[-1]
    assert "&lt;script&gt;" in notebook[-1]
    assert "<script>" not in notebook[-1]
    assert "64 trials" in repr(page)


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    lines = Lines(clock=lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        lines.updated(make_update(fraction=second / 20))
    lines.updated(make_update(phase="final", fraction=0.9))
    assert len(capsys.readouterr().err.splitlines()) == 4


@pytest.mark.parametrize("name", ["search", "resume", "ship"])
def test_the_interface_is_watched(name: str) -> None:
    home = shipping if name == "ship" else api
    function = getattr(home, name)
    assert inspect.signature(function).parameters["progress"].default is None
    with pytest.raises(InputError, match="progress must be True, False, None or an object"):
        function("nothing.csv", 0, progress=3) if name == "ship" else function("x", progress=3)


def test_a_search_tells_a_terminal(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    terminal = as_terminal(monkeypatch)
    given = {"space": "quick", "trials": 2, "track": "off", "out": tmp_path}
    result = autoloss.search("sklearn:iris", name="one", **given)
    assert result.summary.name == "one"
    assert "2 trials of" in terminal.getvalue()
    terminal.truncate(0)
    autoloss.search("sklearn:iris", name="two", progress=False, **given)
    assert "trials" not in terminal.getvalue()
