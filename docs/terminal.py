"""The screenshot of the terminal for the documentation: ``python -m docs.terminal``.

A small search runs in a pseudo-terminal. Its final content becomes an SVG, with the progress bar
as it was in the middle of the search.
"""

from __future__ import annotations

import argparse
import io
import os
import pty
import re
import struct
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from docs.screenshots import IMAGES, write_table

WIDTH = 96
SEARCH = "autoloss search churn.csv --target churned --space quick --trials 64"
LATER = ("autoloss list", "autoloss select churn --by calibration --quiet")
_TOKENS = re.compile(r"\x1b\[\??[\d;]*[A-Za-z]|\r?\n|\r|[^\x1b\r\n]+")
_ENDED = "\x1b[?25h"


def main() -> None:
    """Run the commands, and draw their output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder of the image")
    options = parser.parse_args()
    options.images.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="autoloss-docs-") as place:
        write_table(Path(place) / "churn.csv")
        shown = [
            f"\x1b[1m$ {line}\x1b[0m\n{shown_by(line, Path(place))}" for line in (SEARCH, *LATER)
        ]
    file = options.images / "terminal-search.svg"
    draw("\n".join(shown), file)
    sys.stdout.write(f"{file} ({file.stat().st_size // 1000} kB)\n")


def shown_by(line: str, place: Path) -> str:
    """Return the final content of a terminal, with the bar from the middle of the command.

    Args:
        line: The command line; its first word is the program.
        place: The working directory.
    """
    written = run(["-m", *line.split()], place)
    moving = [part for part in written.split("\x1b[2K") if "candidates/s" in part]
    lines, row = screen(written)
    bar = screen(moving[len(moving) // 2])[0] if moving else []
    return "\n".join([*lines[:row], *bar, *lines[row:]]).rstrip("\n")


def screen(written: str) -> tuple[list[str], int]:
    """Return the final lines of a terminal, and the row of the bar.

    It knows only the control sequences of a bar: the cursor moves up, and a line is cleared.
    """
    lines, row, bar, has_ended = [""], 0, 0, False
    for token in _TOKENS.findall(written):
        if token in ("\n", "\r\n"):
            row += 1
            lines += [""] * (row == len(lines))
        elif token.endswith("A") and token.startswith("\x1b"):
            row -= int(token[2:-1] or 1)
        elif token == "\x1b[2K":
            lines[row] = ""
        elif token == _ENDED:
            has_ended = True
        elif (not token.startswith("\x1b") or token.endswith("m")) and token != "\r":
            bar, has_ended = (row, False) if has_ended else (bar, has_ended)
            lines[row] += token
    return lines, bar


def run(words: list[str], place: Path) -> str:
    """Return the output of Python with these arguments in a terminal."""
    import fcntl
    import termios

    child, terminal = pty.fork()
    if not child:
        os.chdir(place)
        root = str(Path(__file__).parents[1])
        changed = {"PYTHONPATH": root, "TERM": "xterm-256color", "OMP_NUM_THREADS": "1"}
        changed["MLFLOW_TRACKING_URI"] = f"sqlite:///{place}/mlflow.db"
        os.execve(sys.executable, [sys.executable, *words], os.environ | changed)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 60, WIDTH, 0, 0))
    written = b""
    while piece := _read(terminal):
        written += piece
    os.waitpid(child, 0)
    return written.decode("utf-8")


def draw(text: str, file: Path) -> None:
    """Draw coloured text as an SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    for line in text.splitlines():
        console.print(Text.from_ansi(line), no_wrap=False, overflow="fold")
    file.write_text(console.export_svg(title="autoloss"), encoding="utf-8")


def _read(terminal: int) -> bytes:
    """Return new output; empty when the program has ended."""
    try:
        return os.read(terminal, 1 << 16)
    except OSError:
        return b""


if __name__ == "__main__":
    main()
