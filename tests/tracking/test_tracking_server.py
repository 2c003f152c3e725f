from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from autoloss.tracking import Pending

DESCRIPTION = {"data": "churn.csv"}
PATIENCE = 90


@pytest.fixture(scope="module")
def port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def uri(port):
    return f"http://127.0.0.1:{port}"


def answers(uri):
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.fixture(scope="module")
def serve(port, empty_store, tmp_path_factory):
    """Start a real MLflow server on the loopback interface; it is stopped after the last test."""
    folder = tmp_path_factory.mktemp("server")
    database = shutil.copy(empty_store, folder)
    started = []

    def start():
        if started:
            return
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        command += ["--host", "127.0.0.1", "--port", str(port)]
        command += ["--backend-store-uri", f"sqlite:///{Path(database).as_posix()}"]
        command += ["--artifacts-destination", str(folder / "artifacts")]
        environment = os.environ | {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1",
        }
        with (folder / "server.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    stdout=log,
                    stderr=log,
                )
            )
        deadline = time.monotonic() + PATIENCE
        while not answers(f"http://127.0.0.1:{port}") and time.monotonic() < deadline:
            time.sleep(0.2)

    yield start
    for process in started:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def test_a_study_waits_for_its_server_and_is_written_when_it_is_back(
    uri, serve, track, written, record, summary, here
):
    Path("report.html").write_text("<p>report</p>")
    records = [record(i) for i in range(3)]
    # A first session finds no server: it ends quickly and reports the missing runs.
    first = track(uri)
    first.start(DESCRIPTION)
    first.sync(records[:2])
    start = time.monotonic()
    pending = first.close(10 * PATIENCE)
    assert time.monotonic() - start < PATIENCE
    assert pending == Pending(3, f"MLflow at {uri} does not answer.")
    # A second session begins without the server and waits for it.
    second = track(None)
    assert second.uri == uri
    second.start(DESCRIPTION)
    second.sync(records)
    deadline = time.monotonic() + 30
    while not second.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "does not answer" in second.trouble
    serve()
    second.finish(summary(records), [Path("report.html")])
    assert second.close(PATIENCE) == Pending()
    found = written(uri)
    assert found.numbers == [0, 1, 2]
    assert set(found.statuses) == {"FINISHED"}
    assert found.parent.info.status == "FINISHED"
    files = found.client.list_artifacts(found.parent.info.run_id, "report")
    assert [file.path for file in files] == ["report/report.html"]


def test_closing_does_not_wait_for_a_silent_server(track, record):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        tracker = track(f"http://127.0.0.1:{silent.getsockname()[1]}")
        tracker.start(DESCRIPTION)
        tracker.log_trial(record(0))
        start = time.monotonic()
        pending = tracker.close(10 * PATIENCE)
    assert time.monotonic() - start < PATIENCE
    assert pending.count == 2
    assert "does not answer" in pending.reason


def test_a_lost_answer_creates_no_second_run(uri, serve, track, written, record, monkeypatch):
    from autoloss.tracking.experiment import MlflowExperiment

    serve()
    create, lost = MlflowExperiment.create, []

    def losing_create(self, content):
        run_id = create(self, content)
        if content.name not in lost:
            lost.append(content.name)
            raise ConnectionError("The answer was lost.")
        return run_id

    monkeypatch.setattr(MlflowExperiment, "create", losing_create)
    tracker = track(uri, study_name="lost", experiment="lost answers")
    tracker.start(DESCRIPTION)
    tracker.sync([record(0), record(1)])
    assert tracker.close(PATIENCE) == Pending()
    assert lost == ["lost", "#000 cross_entropy", "#001 focal gamma=2.1"]
    client = written(uri).client
    number = client.get_experiment_by_name("lost answers").experiment_id
    runs = client.search_runs([number])
    assert sorted(run.info.run_name for run in runs) == sorted(lost)
