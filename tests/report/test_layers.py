from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORBIDDEN = ("torch", "optuna", "mlflow", "ray", "pandas", "sklearn")


def test_rendering_loads_no_heavy_library_and_opens_no_connection() -> None:
    code = f"""
import socket, sys
sys.path.insert(0, {str(ROOT)!r})
def refuse(*args, **kwargs):
    raise AssertionError("a report must not connect")
socket.socket.connect = refuse
from tests.report.summaries import make_summary
import autoloss.report as report
summary = make_summary(n_trials=4)
for render in (report.render_html, report.render_markdown, report.summary_json,
               report.trials_csv, report.verdict_lines):
    assert render(summary)
print([name for name in {FORBIDDEN!r} if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"
