from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from autoloss.records import Summary
from autoloss.report import render_html, write_report
from autoloss.report.figures import all_figures
from docs.browser import Browser
from tests.report.summaries import make_honest_summary, make_hostile_summary, make_summary
from tests.report.test_html import EDGES

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), "")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="headless Chromium is not installed"),
]


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the page as the browser holds it after its scripts ran, and the console's lines."""
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            "--disable-background-networking", f"--user-data-dir={profile}",
            "--virtual-time-budget=15000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True, encoding="utf-8", timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize(
    "summary",
    [
        make_summary(),
        make_hostile_summary(),
        *(EDGES[name] for name in ("eight finalists", "nothing known", "one trial", "no metric")),
    ],
    ids=["plain", "hostile", "eight finalists", "nothing known", "one trial", "no metric"],
)
def test_page_draws_its_figures_without_a_word_on_the_console(
    summary: Summary, tmp_path: Path
) -> None:
    page = write_report(summary, tmp_path)[0]
    dom, console = opened(page, tmp_path / "profile")
    figures = len(all_figures(summary))
    assert console == []
    assert 'data-ready="true"' in dom
    assert len(re.findall(r'<div class="plot"', dom)) == figures


DRIVER = """<script>
const root = document.documentElement;
const shown = () => [...document.querySelectorAll("#ranked tbody tr:not([hidden])")];
const column = (place) => shown().map((row) => row.cells[place].textContent);
const steps = {};
async function drive() {
  while (!root.dataset.ready) await new Promise((next) => setTimeout(next, 50));
  const trial = document.querySelectorAll("#ranked thead button")[1];
  steps.first = shown().length;
  document.getElementById("all").click();
  steps.all = shown().length;
  trial.click();
  steps.up = column(1);
  trial.click();
  steps.down = column(1);
  steps.sort = trial.parentElement.getAttribute("aria-sort");
  document.querySelectorAll("#ranked thead button")[4].click();
  steps.error = column(4);
  const find = document.getElementById("find");
  find.value = "FOCAL smoothing";
  find.dispatchEvent(new Event("input"));
  steps.found = column(2);
  find.value = "";
  const chip = document.querySelector(".legend [data-family=focal]");
  chip.click();
  steps.family = [...new Set(shown().map((row) => row.dataset.family))];
  const plot = document.querySelector("[data-figure=tradeoff]");
  const widths = [...plot.querySelectorAll("svg")];
  steps.widths = widths.filter((one) => getComputedStyle(one).display !== "none").length;
  const visible = () => [...plot.querySelectorAll("svg.w720 [data-family]")]
    .filter((one) => getComputedStyle(one).display !== "none")
    .map((one) => one.dataset.family);
  steps.drawn = visible();
  chip.click();
  steps.again = visible().length;
  const colour = () => getComputedStyle(plot.querySelector("text.tick")).fill;
  steps.light = colour();
  document.getElementById("theme").click();
  steps.dark = colour();
  const out = document.createElement("pre");
  out.id = "steps";
  out.textContent = JSON.stringify(steps);
  document.body.append(out);
}
drive();
</script></body>"""


def test_table_sorts_and_finds_and_families_can_be_seen_alone(tmp_path: Path) -> None:
    page = tmp_path / "driven.html"
    # The page's own policy would not let the driver run.
    text = render_html(make_summary()).replace("Content-Security-Policy", "x-none")
    page.write_text(text.replace("</body>", DRIVER), encoding="utf-8")
    dom, console = opened(page, tmp_path / "profile")
    assert console == []
    steps = json.loads(html.unescape(dom.rpartition('<pre id="steps">')[2].partition("</pre>")[0]))
    numbers = [str(number) for number in range(64)]
    assert 25 <= steps["first"] < steps["all"] == 64
    assert (steps["up"], steps["down"]) == (numbers, numbers[::-1])
    assert steps["sort"] == "descending"
    assert steps["error"][-3:] == ["–"] * 3
    assert steps["error"][:-3] == sorted(steps["error"][:-3])
    assert steps["found"]
    assert all("focal" in text and "smoothing" in text for text in steps["found"])
    assert steps["family"] == steps["drawn"] == ["focal"]
    assert steps["again"] == 10
    assert steps["widths"] == 1
    assert steps["light"] != steps["dark"]


LONG = [f"Class number {place}, with a long name" for place in range(9)]
READY = "document.documentElement && document.documentElement.dataset.ready"
# The tables that go on to the right, and whether they say so.
GOES_ON = """
[...document.querySelectorAll(".scroll")]
  .filter((one) => one.offsetParent && one.scrollWidth > one.clientWidth + 1)
  .map((one) => [
    one.getAttribute("aria-label"),
    getComputedStyle(one, "::before").content.includes("continues to the right"),
    getComputedStyle(one).backgroundAttachment.includes("scroll"),
  ])
"""
ON_PAPER = """
[...document.querySelectorAll("h1, h2, h3, thead, thead button, .scroll, .tall, figure, tr")]
  .map((one) => [one.tagName, one.className, getComputedStyle(one)])
  .map(([tag, name, style]) => [
    tag, name, style.breakAfter, style.breakInside, style.display, style.overflowY, style.color,
  ])
"""


@pytest.fixture(scope="module", params=["binary", "many classes"])
def sent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a study as it is sent to somebody."""
    classes = LONG if request.param == "many classes" else ("stayed", "churned")
    summary = make_honest_summary(n_trials=64, classes=classes)
    return write_report(summary, tmp_path_factory.mktemp("sent"))[0]


def test_on_a_phone_every_table_that_goes_on_says_so(sent: Path) -> None:
    with Browser(width=390, height=900) as browser:
        browser.open(sent.as_uri())
        browser.wait(READY)
        browser.run("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        found = browser.run(GOES_ON)
        assert browser.run("document.documentElement.scrollWidth") <= 390
    assert len(found) >= 4
    assert [name for name, says, is_shaded in found if not (says and is_shaded)] == []


def test_on_paper_headers_repeat_and_headings_stay_with_what_they_head(sent: Path) -> None:
    with Browser(width=800, height=1100, dark=True) as browser:
        browser.show_as("print")
        browser.open(sent.as_uri())
        browser.wait(READY)
        found = browser.run(ON_PAPER)
        assert browser.run("getComputedStyle(document.body).backgroundColor") in (
            "rgb(255, 255, 255)",
            "rgba(0, 0, 0, 0)",
        )
    kinds: dict[str, list[list[str]]] = {}
    for tag, *rest in found:
        kinds.setdefault(tag, []).append(rest)
    for heading in ("H1", "H2", "H3"):
        assert {rest[1] for rest in kinds[heading]} == {"avoid"}
    assert {rest[3] for rest in kinds["THEAD"]} == {"table-header-group"}
    # Chromium repeats no header that holds the box of a button.
    assert {rest[3] for rest in kinds["BUTTON"]} == {"contents"}
    assert {rest[4] for rest in kinds["DIV"]} == {"visible"}
    for whole in ("FIGURE", "TR"):
        assert {rest[2] for rest in kinds[whole]} == {"avoid"}
