from __future__ import annotations

import io

import pytest
from rich.console import Console

from autoloss.cli.search_progress import LineProgress, best_text, watched
from tests.cli.conftest import make_plan, make_update


def console(*, terminal: bool, width: int = 80) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=terminal,
        force_interactive=terminal,
        width=width,
        no_color=True,
        highlight=False,
    )


def text_of(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_lines_come_at_most_every_few_seconds_but_never_miss_a_phase() -> None:
    now = [0.0]
    shown = console(terminal=False)
    lines = LineProgress(shown, every=5.0, clock=lambda: now[0])
    for step in range(21):
        now[0] = 0.5 * step
        lines.updated(make_update(fraction=step / 40))
    assert len(text_of(shown).splitlines()) == 3
    lines.updated(make_update(phase="final", fraction=0.9))
    lines.updated(make_update(phase="final", fraction=0.95))
    lines.updated(make_update(phase="final", fraction=1.0))
    last = text_of(shown).splitlines()[3:]
    assert [line.split(";")[0] for line in last] == [
        "Final training runs 90%",
        "Final training runs 100%",
    ]


def test_a_line_has_speed_time_left_and_the_best_so_far() -> None:
    shown = console(terminal=False)
    LineProgress(shown).updated(make_update())
    (line,) = text_of(shown).splitlines()
    for part in (
        "12/64 trials",
        "1.25 candidates/s",
        "40 s left",
        "focal gamma=2",
        "2.31%",
        "0.0812",
    ):
        assert part in line


def test_a_pipe_gets_plain_lines() -> None:
    shown = console(terminal=False)
    with watched(shown) as progress:
        progress.planned(make_plan())
        progress.updated(make_update())
        progress.noted("A long note: " + "word " * 40)
    text = text_of(shown)
    assert "\x1b" not in text
    assert "Note: A long note" in text
    assert "locked to test" in text


@pytest.mark.parametrize("width", [20, 50, 100])
def test_a_terminal_gets_a_bar_that_stays_within_its_width(width) -> None:
    shown = console(terminal=True, width=width)
    with watched(shown) as progress:
        progress.planned(make_plan())
        progress.noted("A note.")
        progress.updated(make_update())
        assert (
            max(len(line) for line in shown.render_lines(progress.bar.get_renderable())[0])
            <= width
        )
    assert "A note." in text_of(shown)
    assert "Best so far" in text_of(shown)


def test_before_the_first_trial_ended_there_is_no_best() -> None:
    update = make_update(best_label="", best_metric=float("nan"), best_log_loss=float("nan"))
    assert best_text(update, plan=None).plain == ""


def test_the_bar_is_gone_after_a_failure() -> None:
    shown = console(terminal=True)

    def search() -> None:
        with watched(shown) as progress:
            progress.updated(make_update())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search()
    assert not shown._live_stack
