"""Screenshots for the documentation: ``python -m docs.screenshots``.

The program makes a study (or takes ``--study FOLDER``), starts MLflow's server over it, and draws
the pages with headless Chromium into ``docs/images/dashboard-*.png`` and
``docs/images/report-*.png``. ``--only report`` needs no server.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from autoloss.tracking.dashboard import dashboard_link
from autoloss.tracking.identity import Identity, read_identity
from autoloss.tracking.local_server import HOST, free_port, local_server
from autoloss.tracking.studies import studies_page
from docs.browser import Browser
from docs.report_screenshots import draw_report

IMAGES = Path(__file__).parent / "images"
SEARCH = ["search", "churn.csv", "--target", "churned", "--space", "quick", "--trials", "64"]
# Studies that churn is compared with.
OTHERS = ("sklearn:iris", "sklearn:wine", "sklearn:breast_cancer")
REGISTERED = "churn"
ROWS = 4000
WIDTH, COLOURS = 1440, 256
MODE = "workflowType=machine_learning"
# The panel of MLflow's assistant opens by itself.
CLOSE_ASSISTANT = """
(() => {
  const panels = [...document.querySelectorAll("button")];
  const close = panels.find((one) => (one.getAttribute("aria-label") || "").match(/close/i)
    && one.closest("div") && document.body.innerText.includes("MLflow Assistant")
    && one.getBoundingClientRect().left > innerWidth / 2);
  if (close) close.click();
  return Boolean(close);
})()
"""
SETTLED = "document.querySelectorAll('.js-plotly-plot').length >= {}"


def main() -> None:
    """Draw the pages of a study, which is made if none is options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", type=Path, help="folder of a finished study, with a register")
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder of the images")
    parser.add_argument(
        "--only", choices=("dashboard", "report", "diagnosis"), help="only these pages"
    )
    options = parser.parse_args()
    options.images.mkdir(parents=True, exist_ok=True)
    if options.only in (None, "diagnosis"):
        file = draw_diagnosis(options.images)
        sys.stdout.write(f"{file} ({file.stat().st_size // 1000} kB)\n")
    if options.only == "diagnosis":
        return
    with contextlib.ExitStack() as stack:
        is_tracked = options.only != "report"
        folder = options.study or stack.enter_context(made_study(is_tracked=is_tracked))
        files = draw(folder, options.images) if is_tracked else []
        if options.only != "dashboard":
            files += draw_report(folder, options.images, _small)
        for file in files:
            sys.stdout.write(f"{file} ({file.stat().st_size // 1000} kB)\n")


@contextlib.contextmanager
def made_study(*, is_tracked: bool = True) -> Iterator[Path]:
    """Run a search in a temporary folder, and yield the folder of the study."""
    with tempfile.TemporaryDirectory(prefix="autoloss-docs-") as place:
        shown = ["--register", REGISTERED] if is_tracked else ["--track", "off"]
        words = [sys.executable, "-m", "autoloss", *SEARCH, *shown]
        root = Path(__file__).parents[1]
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        environment["MLFLOW_TRACKING_URI"] = f"sqlite:///{place}/mlflow.db"
        write_table(Path(place) / "churn.csv")
        subprocess.run(words, cwd=place, env=environment, check=True)
        for data in OTHERS if is_tracked else ():
            more = [*words[:3], "search", data, "--space", "quick", "--trials", "8"]
            subprocess.run(more, cwd=place, env=environment, check=True)
        yield Path(place) / "reports" / "churn"


def write_table(file: Path) -> None:
    """Write a table of customers with random labels, on which losses differ little."""
    chance = np.random.default_rng(0)
    months, age = chance.integers(1, 72, ROWS), chance.integers(18, 90, ROWS)
    plan = chance.choice(["monthly", "yearly", "two years"], ROWS, p=[0.6, 0.3, 0.1])
    calls, spent = chance.poisson(2.0, ROWS), chance.gamma(4.0, 15.0, ROWS).round(2)
    odds = 1.2 * (plan == "monthly") - months / 30 + 0.3 * calls - (age - 50) ** 2 / 900 + 0.4
    left = chance.random(ROWS) < 1 / (1 + np.exp(-odds))
    columns = {"months": months, "age": age, "plan": plan, "calls": calls, "spent": spent}
    table = pd.DataFrame({**columns, "churned": np.where(left, "yes", "no")})
    table.to_csv(file, index=False)


def draw(folder: Path, images: Path) -> list[Path]:
    """Draw the pages of a study, and return the screenshots.

    Args:
        folder: The study's folder.
        images: Folder of the screenshots.
    """
    known = read_identity(folder)
    if known.uri is None:
        raise SystemExit(f"{folder} must be a study with runs in MLflow.")
    port = free_port(None, usual=5000)
    with local_server(known.uri, port), Browser(width=WIDTH) as browser:
        root = f"http://{HOST}:{port}/#"
        url = dashboard_link(known.uri, known.experiment_id, view=known.view, port=port).url
        browser.open(url)
        browser.wait_for_text("Error against calibration")
        browser.wait(SETTLED.format(2))
        _close_assistant(browser)
        files = [_drawn(browser, images, "winner", height=1200)]
        _scroll_to(browser, "Learning curves")
        # The legends appear with the curves, which load when they come into view.
        for metric in ("error", "refined_log_loss"):
            browser.wait_for_text(f"(epoch/val_{metric})")
        files.append(_drawn(browser, images, "curves", height=800))
        browser.open(f"{root}/experiments/{known.experiment_id}/runs/{_parent(known)}?{MODE}")
        browser.wait_for_text("Shipped model:")
        browser.run(
            "[...document.querySelectorAll('button')].find((one) => "
            "one.innerText === 'Show more')?.click()"
        )
        files.append(_drawn(browser, images, "verdict", height=800))
        files.append(draw_studies(browser, f"http://{HOST}:{port}", known, images))
        browser.open(f"{root}/experiments/{known.experiment_id}/models?{MODE}")
        browser.wait_for_text("Model attributes")
        files.append(_drawn(browser, images, "models", height=400))
        if known.registered:
            browser.open(f"{root}/models/{known.registered}?{MODE}")
            browser.wait_for_text("champion")
            files.append(_drawn(browser, images, "registry", height=600))
    return files


def draw_studies(browser: Browser, server: str, known: Identity, images: Path) -> Path:
    """Draw the view that compares the studies of an experiment, and return the screenshot.

    Args:
        browser: A page.
        server: The address of MLflow.
        known: One of the studies.
        images: Folder of the screenshot.
    """
    browser.open(f"{server}/{studies_page(str(known.experiment_id), has_views=True)}")
    browser.wait_for_text("study/gain")
    _close_assistant(browser)
    return _drawn(browser, images, "studies", height=480)


def draw_diagnosis(images: Path) -> Path:
    """Draw the page of ``autoloss diagnose`` for overconfident logits."""
    chance = np.random.default_rng(0)
    logits = 1.6 * chance.normal(size=(ROWS, 5)) + [1.5, 0.0, 0.0, 0.0, 0.0]
    labels = (logits + chance.gumbel(size=logits.shape)).argmax(1)
    names = ["heron", "crane", "stork", "ibis", "spoonbill"]
    file = images / "diagnose.png"
    with tempfile.TemporaryDirectory(prefix="autoloss-docs-") as place:
        saved, page = Path(place) / "birds.npz", Path(place) / "page.html"
        np.savez(saved, logits=1.8 * logits, labels=labels, classes=names)
        words = [sys.executable, "-m", "autoloss", "diagnose", "--logits", str(saved)]
        words += ["--loss", "focal gamma=3", "-o", str(page)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        subprocess.run(words, env=environment, check=True, stdout=subprocess.DEVNULL)
        with Browser(width=WIDTH, height=1500) as browser:
            browser.open(page.as_uri())
            browser.wait_for_text("Nothing was trained")
            browser.draw(file)
    with Image.open(file) as image:
        small = image.convert("RGB").quantize(64, Image.Quantize.MAXCOVERAGE)
    small.save(file, optimize=True)
    return file


def _parent(known: Identity) -> str:
    """Return the id of the parent run of a study."""
    from autoloss.tracking.experiment import connect

    client = connect(known.uri or "")
    condition = f"tags.`autoloss.study_id` = '{known.study_id}'"
    return str(client.search_runs([known.experiment_id or ""], condition)[0].info.run_id)


def _close_assistant(browser: Browser) -> None:
    """Close the panel that MLflow opens by itself."""
    with contextlib.suppress(TimeoutError):
        browser.wait(CLOSE_ASSISTANT, seconds=10)


def _scroll_to(browser: Browser, heading: str) -> None:
    """Bring a section of the page to the top of the window."""
    browser.run(
        "[...document.querySelectorAll('*')].filter((one) => one.children.length === 0 && "
        f"one.textContent.startsWith({heading!r})).pop().scrollIntoView()"
    )


def _drawn(browser: Browser, images: Path, name: str, *, height: int) -> Path:
    """Draw the page when it has stopped moving, with few colours."""
    browser.resize(WIDTH, height)
    browser.rest()
    file = images / f"dashboard-{name}.png"
    browser.draw(file)
    return _small(file)


def _small(file: Path) -> Path:
    """Reduce the colours of a screenshot, and return its file."""
    with Image.open(file) as image:
        small = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE)
    small.save(file, optimize=True)
    return file


if __name__ == "__main__":
    main()
