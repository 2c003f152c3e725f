"""Worker processes against the threads of one process: whole searches, side by side.

    python -m benchmarks.workers [--trials 8] [--repeats 3] [--avx2] [--out FILE]

A search of scikit-learn's digits runs alone, beside a second one, and beside a busy loop, with two
workers, with one process whose idle threads spin, and with one whose idle threads sleep
(`OMP_WAIT_POLICY=passive`). The ways take turns, so that a busy machine slows all of them. With
`--avx2` the kernels of torch are those of a processor without AVX-512.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
THREADS = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MKL_NUM_THREADS")
BUSY = "while True: pass"


@dataclass(frozen=True)
class Way:
    """A way to train.

    Args:
        name: Its name.
        workers: Worker processes; 1 for the threads of one process.
        passive: Whether idle threads sleep.
    """

    name: str
    workers: int
    passive: bool = False


WAYS = (Way("workers", 2), Way("threads", 1), Way("passive threads", 1, passive=True))
# Searches at once, and busy loops beside them.
SITUATIONS = {"alone": (1, 0), "two at once": (2, 0), "beside a busy loop": (1, 1)}


def search(way: Way, folder: Path, options: argparse.Namespace) -> subprocess.Popen[bytes]:
    """Start a search."""
    words = ["search", "sklearn:digits", "--space", options.space, "--trials"]
    words += [str(options.trials), "--workers", str(way.workers), "--track", "off", "-q"]
    env = {name: value for name, value in os.environ.items() if name not in THREADS}
    env |= AVX2 if options.avx2 else {}
    env |= {"OMP_WAIT_POLICY": "passive"} if way.passive else {}
    return subprocess.Popen(
        [sys.executable, "-m", "autoloss", *words, "--out", str(folder)],
        env=env,
        stdout=subprocess.DEVNULL,
    )


def seconds(way: Way, situation: str, options: argparse.Namespace) -> float:
    """Return the seconds until all searches of a situation have ended.

    Raises:
        RuntimeError: A search failed.
    """
    searches, loops = SITUATIONS[situation]
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(loops)]
    try:
        with tempfile.TemporaryDirectory() as name:
            started = time.perf_counter()
            running = [search(way, Path(name, str(i)), options) for i in range(searches)]
            codes = [one.wait() for one in running]
            spent = time.perf_counter() - started
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()
    if any(codes):
        raise RuntimeError(f"A search must exit with 0, but got {codes}.")
    return spent


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return the median and the range of values."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def shown(found: dict[str, dict[str, list[float]]]) -> list[str]:
    """Return a line for each ratio of seconds in one repeat, then for each situation."""
    ratios = {
        "threads / workers, alone": ("threads", "alone", "workers", "alone"),
        "passive threads / threads, alone": ("passive threads", "alone", "threads", "alone"),
    }
    for way in found:
        for situation in list(SITUATIONS)[1:]:
            ratios[f"{way}: {situation} / alone"] = (way, situation, way, "alone")
    lines = []
    for name, (way, situation, other, before) in ratios.items():
        pairs = zip(found[way][situation], found[other][before], strict=True)
        if values := [one / two for one, two in pairs]:
            lines.append(f"{name}: {spread(values)}")
    for way, by_situation in found.items():
        for situation, values in by_situation.items():
            if values:
                lines.append(f"{way}, {situation}: {spread(values, 0)} s")
    return lines


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--space", default="default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--avx2", action="store_true", help="without AVX-512 and bfloat16")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {
        way.name: {situation: [] for situation in SITUATIONS} for way in WAYS
    }
    loads = [os.getloadavg()[0]]
    for _ in range(options.repeats):
        for situation in SITUATIONS:
            for way in WAYS:
                found[way.name][situation].append(seconds(way, situation, options))
                loads.append(os.getloadavg()[0])
                last = found[way.name][situation][-1]
                print(f"{way.name}, {situation}: {last:.0f} s", file=sys.stderr)
    lines = [*shown(found), f"load before: {loads[0]:.1f}; during: {spread(loads[1:], 1)}"]
    print("\n".join(lines))
    if options.out:
        written: dict[str, Any] = {
            "measured": lines,
            "trials": options.trials,
            "space": options.space,
            "avx2": options.avx2,
            "cores": os.cpu_count(),
            "load_before": loads[0],
            "seconds": found,
        }
        options.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
