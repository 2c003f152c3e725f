"""The dashboard in a real browser, with the installed MLflow."""

from __future__ import annotations

import pytest

from autoloss.tracking import Pending
from autoloss.tracking.dashboard import dashboard_link
from autoloss.tracking.identity import read_identity
from autoloss.tracking.local_server import HOST, free_port, local_server
from docs.browser import Browser
from tests.report.summaries import make_summary

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def shown(store, track):
    """A study in MLflow, a server over it, and a page of a browser."""
    summary = make_summary(n_trials=24, decision="better")
    tracker = track(store)
    tracker.start({"data": "churn.csv", "metric": "error"})
    tracker.sync(summary.trials)
    tracker.finish(summary, [])
    assert tracker.close() == Pending()
    known, port = read_identity(tracker._folder), free_port(None, usual=5500)
    url = dashboard_link(known.uri, known.experiment_id, view=known.view, port=port).url
    with local_server(store, port), Browser(width=1600, height=2600) as browser:
        yield summary, browser, url, f"http://{HOST}:{port}/#/experiments/{known.experiment_id}"


def test_the_link_opens_the_view_and_its_charts_are_drawn(shown) -> None:
    summary, browser, url, _ = shown
    browser.open(url)
    browser.wait_for_text("Choose a winner: churn")
    for section in ("Error against calibration", "Loss and parameters", "Learning curves"):
        browser.wait_for_text(section)
    titles = (
        "val/error vs. val/debiased_calibration_error",
        "Parallel Coordinates",
        "epoch/val_error",
    )
    for title in titles:
        browser.wait_for_text(title)
    browser.wait("document.querySelectorAll('.js-plotly-plot').length >= 4")
    text = browser.text()
    assert "24 matching runs" in text
    # Sorted: the best by error comes first.
    whole = [trial for trial in summary.trials if trial.metrics]
    best, worst = (
        f"#{choose(whole, key=lambda t: t.metrics['error']).number:03d}" for choose in (min, max)
    )
    assert text.index(best) < text.index(worst)
    assert f"★ #{summary.recommended:03d}" in text
    assert not [line for line in browser.console if "TypeError" in line]


def test_the_root_page_leads_to_the_studies(shown) -> None:
    summary, browser, _, experiment = shown
    browser.open(experiment.partition("#")[0])
    browser.wait_for_text("Recent Experiments")
    link = "[...document.querySelectorAll('a')].find((one) => one.innerText.includes({}))"
    losses = link.format("'losses'")
    browser.wait(losses)
    browser.run(losses + ".click()")
    # It opens the page for traces of language models, which has no other link.
    compare = link.format("'compare verdict'")
    browser.wait(compare)
    target = browser.run(compare + ".href")
    browser.open("about:blank")
    browser.open(target)
    for text in ("study/gain", "study/seconds", "autoloss.verdict", "1 matching run"):
        browser.wait_for_text(text)
    assert summary.name in browser.text()
    assert not [line for line in browser.console if "TypeError" in line]


def test_the_models_tab_is_the_shortlist(shown) -> None:
    summary, browser, _, experiment = shown
    browser.open(f"{experiment}/models?workflowType=machine_learning")
    browser.wait_for_text("Model attributes")
    wanted = {*summary.pareto, summary.recommended}
    for number in wanted:
        browser.wait_for_text(f"#{number:03d} ")
    others = {trial.number for trial in summary.trials} - wanted
    text = browser.text()
    assert not [number for number in others if f"#{number:03d} " in text]
