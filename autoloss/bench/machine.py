"""The machine: its peak of matrix products, its memory bandwidth, its description."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

import torch

from autoloss.core.devices import now

SIDE = 2048
COPIED = 1 << 26


def matrix_peak(
    device: torch.device,
    *,
    dtype: torch.dtype = torch.float32,
    repeats: int = 3,
    side: int = SIDE,
) -> float:
    """Return the speed of a large matrix product, in FLOP/s.

    Args:
        device: The device.
        dtype: Type of the matrices.
        repeats: Products after the first; the fastest counts.
        side: Rows and columns of both matrices.
    """
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return 2.0 * side**3 / _shortest(lambda: torch.mm(left, right, out=out), device, repeats)


def bandwidth(device: torch.device, *, repeats: int = 5, numbers: int = COPIED) -> float:
    """Return the bandwidth of a copy outside the caches, reads and writes, in bytes per second.

    Args:
        device: The device.
        repeats: Copies after the first; the fastest counts.
        numbers: Number of copied float32 values.
    """
    source = torch.ones(numbers, device=device)
    out = torch.empty_like(source)
    return 2.0 * 4 * numbers / _shortest(lambda: out.copy_(source), device, repeats)


def describe(device: torch.device) -> dict[str, object]:
    """Return chip, cores, threads, load and versions as JSON values."""
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    load = list(os.getloadavg()) if hasattr(os, "getloadavg") else None
    return {
        "chip": chip,
        "device": device.type,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": load,
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
    }


def _processor() -> str:
    """Return the name of the processor; `platform` has none on Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _shortest(run: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the shortest time of several runs, in seconds; other programs only lengthen it."""
    found = []
    for _ in range(repeats + 1):
        started = now(device)
        run()
        found.append(now(device) - started)
    return min(found[1:])
