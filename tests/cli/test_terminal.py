"""Laws of every command on every terminal."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from typing import get_args

import pytest
import typer
from rich.console import Console

from autoloss.cli import app, complete, progress_bar
from autoloss.cli.plan import show_lines
from autoloss.cli.search_progress import watched
from autoloss.cli.search_result import show_verdict
from autoloss.cli.tables import column_widths, show_table
from autoloss.cli.terminal import make_showable, messages, output
from autoloss.cli.verbosity import Verbosity, is_quiet, set_verbosity
from tests.cli.conftest import make_plan, make_update
from tests.report.summaries import make_honest_summary

GROUP = typer.main.get_command(app)
ORDER = (
    "search", "resume", "join", "list", "select", "report", "predict", "export", "diagnose", "ui",
    "losses", "spaces", "bench",
)  # fmt: skip
LOUD = ("search", "resume", "join", "select", "predict", "export", "ui", "bench")


@pytest.fixture(autouse=True)
def normal():
    set_verbosity(Verbosity.NORMAL)
    yield
    set_verbosity(Verbosity.NORMAL)


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def screen(width: int, out: io.StringIO) -> Console:
    return Console(file=out, width=width, highlight=False, emoji=False, markup=False)


# --- Colours and control characters


@pytest.mark.parametrize(
    ("stream", "environment", "moves", "styled"),
    [
        (Screen, {"TERM": "xterm-256color"}, True, True),
        (Screen, {"TERM": "xterm-256color", "NO_COLOR": "1"}, False, False),
        (Screen, {"TERM": "dumb"}, False, False),
        (io.StringIO, {"TERM": "xterm-256color"}, False, False),
        (io.StringIO, {"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False, True),
    ],
    ids=["terminal", "NO_COLOR", "dumb", "pipe", "coloured log"],
)
def test_styles_and_movement_are_for_terminals_that_want_them(
    monkeypatch, stream, environment, moves, styled
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown, told = stream(), stream()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setattr(sys, "stderr", told)
    console = output()
    show_verdict(console, make_honest_summary(n_trials=12), folder=complete.Path("reports/churn"))
    with watched(messages()) as progress:
        progress.planned(make_plan())
        progress.updated(make_update())
    assert ("\x1b[" in shown.getvalue()) is styled
    # Lines that stay in place go up and are written again.
    assert ("\x1b[1A" in told.getvalue() or "\x1b[2K" in told.getvalue()) is moves
    if not styled:
        assert "\x1b" not in told.getvalue()
    assert "12/64 trials" in told.getvalue()


def test_help_is_plain_where_that_is_wanted() -> None:
    code = "import sys; sys.argv = ['autoloss', 'list', '--help']; from autoloss.cli import main"
    environment = {**os.environ, "FORCE_COLOR": "1", "TERM": "xterm"}
    for wish, styled in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}; main()"],
            capture_output=True,
            env={**environment, **wish},
        )
        assert (b"\x1b" in done.stdout) is styled


def test_what_an_encoding_lacks_is_spelt_out(monkeypatch) -> None:
    for encoding in ("ascii", "cp1252", "cp437"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        make_showable()
        show_table(output(), ("Loss", "Value"), [("γ ≤ 2 → 3 …", "−0.5 ± 0.1")])
        sys.stdout.flush()
        text = raw.getvalue().decode(encoding)
        assert "?" not in text
        assert "-0.5" in text
        assert "->" in text


# --- Quiet and verbose


@pytest.mark.parametrize("command", ["search", "resume"])
def test_quiet_leaves_the_verdict_and_what_ships(api, run, command) -> None:
    quiet, normal = (run(command, "churn", *words) for words in (["-q"], []))
    assert quiet.exit_code == normal.exit_code == 0
    assert quiet.stderr == ""
    assert quiet.stdout.startswith("Verdict: ")
    assert quiet.stdout in normal.stdout
    assert len(quiet.stdout) < len(normal.stdout) / 3


def test_quiet_with_json_is_the_document_alone(api, run) -> None:
    result = run("search", "churn.csv", "--quiet", "--json")
    assert result.stderr == ""
    assert json.loads(result.stdout)["name"] == "churn"


def test_verbose_says_more_and_the_result_stays_the_same(api, run) -> None:
    def during() -> None:
        api.calls[-1][2]["progress"].detailed("32 candidates train together: as measured.")

    api.during = during
    normal, verbose = run("search", "churn.csv"), run("search", "churn.csv", "-v")
    assert verbose.stdout == normal.stdout
    for said in (
        "32 candidates train together",
        "The search took",
        "Final training runs, verdict",
    ):
        assert said in verbose.stderr
        assert said not in normal.stderr


def test_errors_are_told_however_quiet(api, run) -> None:
    def fail() -> None:
        raise ValueError("broken")

    api.during = fail
    result = run("search", "churn.csv", "--quiet")
    assert result.exit_code == 1
    assert "broken" in result.stderr


@pytest.mark.parametrize("words", [["-q", "-v"], ["-v", "-q"]])
def test_quiet_and_verbose_exclude_each_other_and_are_forgotten(api, run, words) -> None:
    result = run("search", "churn.csv", *words)
    assert result.exit_code == 2
    assert "--quiet and --verbose" in result.stderr
    run("list", "--help")
    assert not is_quiet()


def test_every_command_that_says_more_than_its_result_can_be_quiet() -> None:
    able = [
        name
        for name, command in GROUP.commands.items()
        if {"-q", "-v"} <= {option for one in command.params for option in one.opts}
    ]
    assert set(LOUD) <= set(able)


# --- Tables


LONG = "/data/2026/a long way/customers_of_the_north_and_of_the_south_with_all_columns.parquet"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_plan_breaks_no_path_and_no_word(width) -> None:
    plan = make_plan(families=("generalized_cross_entropy", "symmetric_cross_entropy"))
    data = type(plan.data)(**{**vars(plan.data), "source": LONG.replace(" ", "_")})
    out = io.StringIO()
    show_lines(screen(width, out), type(plan)(**{**vars(plan), "data": data}))
    words = out.getvalue().replace(",", " ").split()
    for word in (LONG.replace(" ", "_"), *plan.families):
        assert word in words


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_names_and_numbers_of_a_table_are_whole_at_any_width(width) -> None:
    rows = [
        ("a-study-with-a-rather-long-name-of-2026", "2026-11-21 19:21", "10,000/10,000"),
        ("b", "2026-11-20 08:00", "1/2"),
    ]
    out = io.StringIO()
    show_table(screen(width, out), ("Study", "Begun", "Trials"), rows, whole=(0,))
    text = out.getvalue()
    words = [word for row in rows for cell in row for word in cell.split()]
    assert [word for word in words if word not in text] == []
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width
        assert sum(line.startswith("a-study") for line in text.splitlines()) == 1


def test_widths_are_those_of_the_cells_where_there_is_room() -> None:
    rows = [("one two three", "1.5"), ("four", "22.5")]
    assert column_widths(("Name", "Value"), rows, 80) == [13, 5]
    narrow = column_widths(("Name", "Value"), rows, 14)
    assert narrow == [7, 5]
    assert column_widths(("Name", "Value"), rows, 11) is None


def test_a_link_and_a_command_are_whole_on_their_line() -> None:
    out = io.StringIO()
    show_verdict(
        screen(40, out), make_honest_summary(n_trials=12), folder=complete.Path("studies/x" * 9)
    )
    (following,) = (line for line in out.getvalue().splitlines() if line.startswith("Next"))
    assert following.endswith("NEW.csv -o predictions.csv")
    assert "studies/x" * 9 in following


# --- Counted work


def test_counted_work_shows_rate_and_time_left_only_where_it_takes_long() -> None:
    now = [0.0]
    out = io.StringIO()
    with progress_bar.counted(
        screen(80, out), "Predicting", unit="rows", about=4000, clock=lambda: now[0]
    ) as count:
        for step in range(1, 5):
            now[0] = 3.0 * step
            count(1000 * step)
    assert out.getvalue().splitlines() == [
        "Predicting: 2,000 rows, 333 rows/s, 6 s left",
        "Predicting: 4,000 rows, 333 rows/s",
    ]


@pytest.mark.parametrize("about", [None, 10, 4000])
def test_counted_work_on_a_terminal_stays_within_its_width(about) -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=True, force_interactive=True)
    with progress_bar.counted(console, "Predicting", unit="rows", about=about) as count:
        count(2000)
    assert "2,000 rows" in out.getvalue()
    set_verbosity(Verbosity.QUIET)
    before = out.getvalue()
    with progress_bar.counted(console, "Predicting", unit="rows", about=about) as count:
        count(2000)
    with progress_bar.waited(console, "Loading"):
        pass
    assert out.getvalue() == before


@pytest.mark.parametrize("ending", ["csv", "parquet", "feather"])
def test_the_rows_of_a_file_are_known_roughly_before_it_is_read(tmp_path, ending) -> None:
    import pandas as pd

    from autoloss.data.stream import open_rows

    table = pd.DataFrame({"a": range(50_000), "b": [f"text {n % 7}" for n in range(50_000)]})
    file = tmp_path / f"rows.{ending}"
    table.to_csv(file, index=False) if ending == "csv" else getattr(table, f"to_{ending}")(file)
    assert open_rows(str(file)).about == pytest.approx(len(table), rel=0.35)


# --- Completion


def test_completion_knows_what_the_library_knows() -> None:
    from autoloss.cli.catalogue.library import known_components, known_losses
    from autoloss.cli.catalogue.words import FAMILIES, TASKS
    from autoloss.executors import Place
    from autoloss.metrics import EXPECTED_COST, METRIC_NAMES
    from autoloss.metrics.known import ALIASES

    every = [*known_losses(), *known_components()]
    assert complete.losses("") == sorted(one.name for one in every)
    assert set(complete.families("")) == set(FAMILIES) - {"own"}
    assert set(complete.tasks("")) == set(TASKS)
    assert set(complete.executors("")) == set(get_args(Place))
    assert set(complete.metrics("")) == {*METRIC_NAMES, *ALIASES, EXPECTED_COST}
    assert complete.losses("foc") == ["focal"]


def test_completion_in_the_shell_imports_nothing_heavy(tmp_path) -> None:
    for name in ("churn", "cars"):
        (tmp_path / "studies" / name).mkdir(parents=True)
        (tmp_path / "studies" / name / "study.json").touch()
    code = (
        "import os, sys\n"
        "from autoloss.cli import app\n"
        "for line in sys.argv[1:]:\n"
        "    os.environ.update(_AUTOLOSS_COMPLETE='complete_bash', COMP_WORDS=line,\n"
        "                      COMP_CWORD=str(len(line.split(' ')) - 1))\n"
        "    try: app([])\n"
        "    except SystemExit: print('--')\n"
        "print(*sorted({'torch', 'pandas', 'numpy', 'mlflow', 'optuna'} & set(sys.modules)))"
    )
    lines = (
        f"autoloss select --out {tmp_path / 'studies'} c",
        "autoloss select churn --by cal",
        "autoloss search rows.csv --space q",
        "autoloss losses foc",
        "autoloss exp",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *lines], capture_output=True, encoding="utf-8"
    )
    *found, heavy = (part.split() for part in done.stdout.split("--\n"))
    assert [sorted(one) for one in found] == [
        ["cars", "churn"], ["calibration"], ["quick"], ["focal"], ["export"],
    ], done.stderr  # fmt: skip
    assert heavy == []


# --- Help


def test_commands_stand_in_the_order_in_which_a_user_meets_them() -> None:
    assert list(GROUP.commands) == [name for name in ORDER if name in GROUP.commands]


@pytest.mark.parametrize("name", list(GROUP.commands))
def test_every_help_ends_with_examples_that_parse(run, name) -> None:
    command = GROUP.commands[name].callback
    assert command is not None
    examples = sys.modules[command.__module__].EXAMPLES
    assert 2 <= len(examples) <= 5
    text = run(name, "--help", env={"COLUMNS": "80"}).stdout
    for line in examples:
        assert f"$ {line} " in text
        program, command, *words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
        assert (program, command) == ("autoloss", name)
        GROUP.commands[name].make_context(name, words)


def test_names_of_the_data_do_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.table import Table

    from autoloss.cli.terminal import output
    from autoloss.cli.verbosity import say

    name = "a\x1b]0;owned\x07\u202eb"
    table = Table(name)
    table.add_row(name)
    output().print(table)
    output().print(name)
    say(name)
    found = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & {*found.out, *found.err}
    assert "owned" in found.out
