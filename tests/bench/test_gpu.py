"""`make gpu` without a GPU: its parts, their time limits, and the figures that are kept."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import gpu, speed_page


def options(out: Path, **given: Any) -> argparse.Namespace:
    usual: dict[str, Any] = {"device": "cpu", "tiny": True, "seconds": 100.0}
    usual |= {"limit": None, "part": None}
    return argparse.Namespace(out=out, **(usual | given))


def known(out: Path) -> Any:
    return json.loads((out / "gpu.json").read_text(encoding="utf-8"))


def test_every_part_fills_its_rows_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text("{}", encoding="utf-8")
    for part in gpu.PARTS:
        if part != "tests":
            gpu.run_alone(part, options(tmp_path))
    found = known(tmp_path)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    for together in speed_page.ON_A_GPU:
        one = found[str(together)]
        assert one["figures"][0]["value"] > 0.0
        assert 0.0 < one["step"]["optimiser_ms"] < one["step"]["eager_ms"]
        (row,) = (line for line in page.splitlines() if f"GPU: {together} " in line)
        assert f"{one['machine']['chip']}; a step " in row
        assert "ms as a graph" in row
        assert speed_page.OPEN not in row


def test_a_part_is_a_process_and_what_it_finds_is_kept(tmp_path: Path) -> None:
    assert gpu.run_parts(sys.executable, options(tmp_path, part=["step 64"]))
    assert known(tmp_path)["64"]["step"]["graph_ms"] > 0.0


def test_a_part_that_fails_or_takes_too_long_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = {"64": "import sys; sys.exit(3)", "256": "import time; time.sleep(60)"}
    ended = []
    start = subprocess.Popen

    def popen(words: list[str]) -> Any:
        part = words[words.index("--alone") + 1]
        ended.append(part)
        return start([sys.executable, "-c", programs.get(part, "")])

    monkeypatch.setattr(gpu.subprocess, "Popen", popen)
    gpu.merge(tmp_path, {"64": {"step": {"eager_ms": 1.0}}})
    assert not gpu.run_parts(
        sys.executable, options(tmp_path, part=["64", "256", "step 64"], limit=3.0)
    )
    assert ended == ["64", "256", "step 64"]
    assert known(tmp_path)["failed"] == {
        "64": "it ended with exit status 3",
        "256": "it took more than 3 s",
    }
    # A further call keeps the known figures, and nothing begins after all of the time.
    assert known(tmp_path)["64"] == {"step": {"eager_ms": 1.0}}
    assert not gpu.run_parts(sys.executable, options(tmp_path, part=["64"], seconds=0.0))
    assert known(tmp_path)["failed"] == {"64": "no time is left"}
    assert "256: it took more than 3 s" in capsys.readouterr().out


def test_parts_of_the_limits_end_within_8_minutes() -> None:
    assert gpu.SECONDS + 30.0 < 8 * 60
    assert sum(gpu.PARTS.values()) <= gpu.SECONDS + 10.0


def test_a_machine_without_a_gpu_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="torch must see a GPU"):
        gpu.python_here("cuda")
    assert gpu.python_here("cpu") == sys.executable


def test_a_package_that_cannot_be_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    constraints = Path("constraints.txt").resolve().read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("constraints.txt").write_text(constraints, encoding="utf-8")
    # No network, and no wheel in the folder.
    gpu.WHEELS.mkdir()
    monkeypatch.setattr(gpu, "NEEDED", ("numpy", "no_such_package_of_anybody"))
    with pytest.raises(SystemExit, match="no_such_package_of_anybody must be installed"):
        gpu.python_here("cpu")
    program = "import torch, sys; print(sys.prefix)"
    python = next((gpu.PLACE / "bin").glob("python"), gpu.PLACE / "Scripts" / "python.exe")
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == gpu.PLACE.resolve()


def test_tests_of_a_gpu_are_found_and_skip_themselves_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def main(words: list[str]) -> None:
        ran.append(words)
        (file,) = (word.partition("=")[2] for word in words if word.startswith("--junitxml"))
        text = '<testsuites><testsuite tests="5" failures="{}" errors="0" skipped="{}"/>'
        Path(file).write_text(text.format(*counts) + "</testsuites>", encoding="utf-8")

    monkeypatch.setattr(pytest, "main", main)
    counts = (0, 5)
    assert gpu.run_tests(options(tmp_path))["tests"]["skipped"] == 5
    assert any(word.endswith("test_devices.py") for word in ran[0])
    with pytest.raises(RuntimeError, match="must pass"):
        gpu.run_tests(options(tmp_path, device="cuda"))
    counts = (1, 0)
    with pytest.raises(RuntimeError, match="must pass"):
        gpu.run_tests(options(tmp_path))
    assert known(tmp_path)["tests"]["failures"] == 1
