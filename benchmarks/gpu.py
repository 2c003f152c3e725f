"""The tests that need a GPU, and the rows of a GPU on the speed page, in under 8 minutes.

    python -m benchmarks.gpu [--device cuda] [--out reports/speed]

It runs with the torch of the Python that it is started with, and needs no network: packages that
this Python lacks go into .venv-gpu beside it, at the versions of constraints.txt, from the folder
`wheels` if there is one. Each part is a process with its own time limit. What a part finds is
in gpu.json as soon as it has ended, also where a later one fails or takes too long.

- tests: the tests with the marker "gpu".
- 64, 256: candidates together against the same network one by one in a tight loop.
- step 64, step 256: a step of them, its optimiser alone, and the step as a captured CUDA graph.

`--device cpu --tiny` tries all of it without a GPU: there a captured step is the step itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import site
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

NEEDED = ("hypothesis", "jinja2", "numpy", "pandas", "pyarrow", "pytest", "safetensors", "scipy")
PLACE, WHEELS = Path(".venv-gpu"), Path("wheels")
SECONDS = 440.0
"""Time limit of all parts together."""
INSTALL_SECONDS = 90.0
PARTS = {"tests": 150.0, "64": 90.0, "256": 90.0, "step 64": 60.0, "step 256": 60.0}
"""The parts, each with its time limit in seconds."""
STEPS = 50
"""Steps that are timed at once, because a GPU works while the program goes on."""


def python_here(device: str) -> str:
    """Return a Python with the torch of this one and all that the parts import.

    Raises:
        SystemExit: If there is no torch, no GPU, or a package that cannot be installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise SystemExit(f"{sys.executable} must have torch: make gpu PYTHON=/path/to/python.")
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise SystemExit(
            f"torch must see a GPU, but torch {torch.__version__} of {sys.executable} sees none."
        )
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not lacking:
        return sys.executable
    print(f"Installing {', '.join(lacking)} into {PLACE}.", flush=True)
    venv.create(PLACE, system_site_packages=True, with_pip=True)
    python = str(PLACE / ("Scripts" if os.name == "nt" else "bin") / "python")
    (own,) = PLACE.glob("[Ll]ib/**/site-packages")
    # This Python may be one of a virtual environment too.
    (own / "started_with.pth").write_text("\n".join(_site_folders()), encoding="utf-8")
    pins = Path("constraints.txt").read_text(encoding="utf-8")
    kept = PLACE / "constraints.txt"
    # The torch that is there stays.
    other = re.sub(r"^torch==.*$", f"torch=={torch.__version__}", pins, flags=re.MULTILINE)
    kept.write_text(other, encoding="utf-8")
    words = [python, "-m", "pip", "install", "--quiet", "--retries", "1", "--timeout", "10"]
    words += ["--constraint", str(kept)]
    words += ["--no-index", "--find-links", str(WHEELS)] if WHEELS.is_dir() else []
    try:
        subprocess.run([*words, *lacking], check=True, timeout=INSTALL_SECONDS)
    except (subprocess.SubprocessError, OSError):
        raise SystemExit(
            f"{', '.join(lacking)} must be installed, and could not be. Without a network, put "
            f"their wheels (pip download --constraint constraints.txt ...) into {WHEELS}/."
        ) from None
    return python


def _site_folders() -> list[str]:
    """Return the folders with the packages of this Python."""
    folders = [*site.getsitepackages(), site.getusersitepackages(), *sys.path]
    return [one for one in dict.fromkeys(folders) if one.endswith("-packages")]


def run_parts(python: str, options: argparse.Namespace) -> bool:
    """Run all parts, each in a process; return whether all of them succeeded."""
    ends = time.monotonic() + options.seconds
    reasons: dict[str, str] = {}
    # The failed parts of an earlier call are tried again.
    merge(options.out, {"failed": None})
    for part in options.part or PARTS:
        limit = min(options.limit or PARTS[part], ends - time.monotonic())
        reason = "no time is left" if limit <= 0 else _run_part(python, part, limit, options)
        if reason:
            reasons[part] = reason
            print(f"{part}: {reason}", flush=True)
            merge(options.out, {"failed": reasons})
    return not reasons


def _run_part(python: str, part: str, limit: float, options: argparse.Namespace) -> str:
    """Run a part within a time limit; return why it failed, empty if it did not."""
    words = [python, "-m", "benchmarks.gpu", "--alone", part, "--device", options.device]
    words += ["--out", str(options.out), *(["--tiny"] if options.tiny else [])]
    print(f"{part}: {limit:.0f} s at most", flush=True)
    process = subprocess.Popen(words)
    try:
        status = process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return f"it took more than {limit:.0f} s"
    return f"it ended with exit status {status}" if status else ""


def merge(out: Path, found: dict[str, Any]) -> None:
    """Add findings to gpu.json: values of new keys, and of the keys of known objects."""
    file = out / "gpu.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for key, value in found.items():
        is_both = isinstance(value, dict) and isinstance(known.get(key), dict)
        known[key] = known[key] | value if is_both else value
    out.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def run_tests(options: argparse.Namespace) -> dict[str, Any]:
    """Run the tests with the marker "gpu"; a test skips itself without the packages that it needs.

    Raises:
        RuntimeError: If one fails, or all are skipped although there is a GPU.
    """
    import pytest

    # Other tests import packages that may be missing here.
    where = [
        str(path)
        for path in sorted(Path("tests").rglob("test_*.py"))
        if "mark.gpu" in path.read_text(encoding="utf-8")
    ]
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "found.xml")
        # Warnings of another torch than that of constraints.txt are no failures.
        words = ["-m", "gpu", "-rs", "-W", "default", "-p", "no:cacheprovider"]
        pytest.main([*where, *words, f"--junitxml={file}"])
        suite = ElementTree.parse(file).getroot().find("testsuite")
        assert suite is not None
        keys = ("tests", "failures", "errors", "skipped")
        counts = {key: int(suite.get(key, "0")) for key in keys}
    merge(options.out, {"tests": counts})
    none_ran = options.device != "cpu" and counts["tests"] == counts["skipped"]
    if counts["failures"] + counts["errors"] or none_ran:
        raise RuntimeError(f"All tests of a GPU must pass, but got {counts}.")
    return {"tests": counts}


def against_tight(together: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure candidates together against the tight loop, side by side."""
    import torch

    from autoloss.bench import Figure, loops, machine

    setting = _setting(together, options, epochs=3)
    few = 2 if options.tiny else 3
    mine, tight = [], []
    with loops.TogetherLoop(setting) as loop:
        loop.run(setting)
        loops.run_tight(setting, 1)
        for _ in range(2 if options.tiny else 5):
            mine.append(loops.seconds_each(lambda: loop.run(setting)))
            tight.append(loops.tight_seconds_each(setting, few))
    figure = Figure.of(
        "tight",
        [one / other for one, other in zip(tight, mine, strict=True)],
        together=together,
        detail={
            "candidates_per_second_together": 1.0 / statistics.median(mine),
            "candidates_per_second_tight": 1.0 / statistics.median(tight),
        },
    )
    described = machine.describe(torch.device(options.device))
    return {str(together): {"machine": described, "figures": [figure.to_dict()]}}


def of_step(together: int, options: argparse.Namespace) -> dict[str, Any]:
    """Measure a step, its optimiser alone, and the step as a captured graph, in milliseconds."""
    from autoloss.training.pool import step_batch
    from autoloss.training.together import passing_population

    job = _setting(together, options, epochs=1).job
    population, orders = passing_population([job], together)
    rows = orders.epoch()[0].clone()

    def step() -> None:
        population.step(step_batch([job], orders, rows), orders, 1.0)

    found = {"eager_ms": _milliseconds(step, job.device)}
    found["optimiser_ms"] = _milliseconds(lambda: population._optimiser.step(1.0), job.device)
    noise = [draws.noise for draws in orders._draws.values()]
    try:
        replay = captured(step, job.device, generators=noise)
        found["graph_ms"] = _milliseconds(replay, job.device)
    except Exception as error:
        # A step that cannot be captured is a finding.
        return {str(together): {"step": found | {"no_graph": str(error).partition("\n")[0]}}}
    return {str(together): {"step": found}}


def captured(
    step: Callable[[], None], device: Any, *, generators: Sequence[Any] = ()
) -> Callable[[], None]:
    """Return a step as a CUDA graph, which launches all of its kernels at once.

    Args:
        step: The step; it reads and writes the same tensors whenever it is called.
        device: The device; on a CPU the step itself is returned.
        generators: Random generators of the step, which a replay moves on.
    """
    import torch

    if device.type == "cpu":
        return step
    # The allocator and the libraries prepare themselves before the capture, on another stream.
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def _milliseconds(run: Callable[[], object], device: Any) -> float:
    """Return the shortest mean time of `STEPS` calls in a row, in milliseconds."""
    from autoloss.core.devices import now

    found = []
    for _ in range(4):
        started = now(device)
        for _ in range(STEPS):
            run()
        found.append((now(device) - started) / STEPS)
    # The first calls fill the caches and the allocator.
    return 1e3 * min(found[1:])


def _setting(together: int, options: argparse.Namespace, *, epochs: int) -> Any:
    """Return the setting of the speed page on the device."""
    import torch

    from autoloss.bench.problem import ROWS, make_setting, plain_network

    return make_setting(
        together=min(together, 3) if options.tiny else together,
        network=plain_network(8 if options.tiny else 128),
        rows=512 if options.tiny else ROWS,
        epochs=epochs,
        device=torch.device(options.device),
    )


def run_alone(part: str, options: argparse.Namespace) -> None:
    """Run a part in this process, and write its findings."""
    if part == "tests":
        found = run_tests(options)
    elif part.startswith("step "):
        found = of_step(int(part.removeprefix("step ")), options)
    else:
        found = against_tight(int(part), options)
    merge(options.out, found)
    print(json.dumps(found), flush=True)
    if (options.out / "figures.json").is_file():
        from benchmarks.speed_page import write_page

        write_page(options.out)


def main() -> None:
    """Run all parts, or one of them in this process."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path("reports/speed"))
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part")
    parser.add_argument("--alone", choices=PARTS, help="this part in this process")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="limit of all parts")
    parser.add_argument("--limit", type=float, help="limit of each part, in seconds")
    parser.add_argument("--tiny", action="store_true", help="try the script itself")
    options = parser.parse_args()
    if options.alone:
        run_alone(options.alone, options)
    elif not run_parts(python_here(options.device), options):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
