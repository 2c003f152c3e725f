"""The floor of a training step beside its measured time.

    python -m benchmarks.floor [--device cpu] [--repeats 3]

The floor is the larger of two times: the time of the step's matrix products at the machine's
measured peak (a 2048 by 2048 float32 product), and the time to move the step's bytes at the
measured bandwidth of a copy. `autoloss.bench.work` counts both. Steps and peaks are measured in
turns; each time is the shortest of its repeats.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from autoloss.bench.machine import bandwidth, matrix_peak
from autoloss.bench.problem import make_setting, plain_network
from autoloss.bench.work import moved, products
from autoloss.training.together import step_seconds

WIDTHS, TOGETHER = (64, 128, 256, 512), (8, 32, 128)


@dataclass(frozen=True)
class Floor:
    """A step and its floor.

    Args:
        width: Units of both hidden layers.
        together: The number of candidates.
        gigaflop: Operations of its matrix products, in GFLOP.
        megabytes: Memory traffic, in MB.
        products: The time of its products at the peak, in seconds.
        bytes: The time of its bytes at the bandwidth, in seconds.
        measured: The measured time of the step, in seconds.
    """

    width: int
    together: int
    gigaflop: float
    megabytes: float
    products: float
    bytes: float
    measured: float

    @property
    def times(self) -> float:
        """Return the time of the step as a multiple of its floor."""
        return self.measured / max(self.products, self.bytes)


def measure_floor(
    device: torch.device, *, repeats: int = 3, said: Callable[[str], None] = print
) -> list[Floor]:
    """Measure all widths and numbers of candidates, in turns."""
    settings = {
        (width, together): make_setting(
            together=together, network=plain_network(width), epochs=1, device=device
        )
        for width in WIDTHS
        for together in TOGETHER
    }
    peaks, speeds = [], []
    steps: dict[tuple[int, int], list[float]] = {key: [] for key in settings}
    for turn in range(repeats):
        said(f"Floor: turn {turn + 1} of {repeats}.")
        for key, setting in settings.items():
            peaks.append(matrix_peak(device, repeats=1))
            steps[key].append(step_seconds([setting.job], key[1], 5, seconds=2.0))
        speeds.append(bandwidth(device))
    return [
        Floor(
            *key,
            gigaflop=products(setting) / 1e9,
            megabytes=moved(setting) / 1e6,
            products=products(setting) / max(peaks),
            bytes=moved(setting) / max(speeds),
            measured=min(steps[key]),
        )
        for key, setting in settings.items()
    ]


def to_rows(floors: Sequence[Floor]) -> list[dict[str, Any]]:
    """Return the figures as JSON values."""
    return [{**asdict(floor), "times": floor.times} for floor in floors]


def to_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the figures of `to_rows` as a Markdown table, times in milliseconds."""
    lines = [
        "| width | K | products, GFLOP | bytes, MB | products at the peak, ms "
        "| bytes at the bandwidth, ms | measured, ms | times the floor |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [
            str(row["width"]),
            str(row["together"]),
            f"{row['gigaflop']:.2f}",
            f"{row['megabytes']:.0f}",
            *(f"{1e3 * row[name]:.2f}" for name in ("products", "bytes", "measured")),
            f"{row['times']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(to_table(to_rows(measure_floor(torch.device(options.device), repeats=options.repeats))))


if __name__ == "__main__":
    main()
