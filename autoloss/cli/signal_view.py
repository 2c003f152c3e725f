"""The signal of a loss on the terminal: a drawing and a row of values."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from autoloss.cli.letters import can_show
from autoloss.cli.plot import draw
from autoloss.cli.signal import Signal, shown_for, signals
from autoloss.cli.tables import show_table
from autoloss.cli.wording import joined
from autoloss.losses import Loss

PROBS = (0.01, 0.1, 0.5, 0.9, 0.99)
_LEAST, _MOST = 40, 76
_SOLID, _GAPS, _LINE = "⠒⠒⠒", "⠒ ⠒", "┄┄┄"


def show_signal(console: Console, loss: Loss) -> None:
    """Print the signal of a loss, as wide as the console up to a limit."""
    found = signals(loss)
    if not found:
        console.print("No signal is drawn: the loss sees the direction of the logits alone.")
        return
    braille = can_show(_SOLID + _LINE, console.encoding)
    title = "Signal: gradient on the true logit as a multiple of cross-entropy's (phi)"
    console.print(Text(title, style="bold"))
    console.print("over p, the softmax of the true class; the other classes share the rest evenly")
    console.print(_legend(loss, found, braille=braille))
    width = max(min(console.width, _MOST), _LEAST)
    for line in draw([one.values for one in found], width=width, braille=braille):
        console.print(Text(line), soft_wrap=True)
    rows = [
        (f"phi, {one.name}" if one.name else "phi", *map(signal_text, one.values(PROBS)))
        for one in found
    ]
    console.print()
    show_table(console, ("p", *(f"{prob:g}" for prob in PROBS)), rows)


def signal_text(value: float) -> str:
    """Return a value of the signal with three digits.

    Examples:
        >>> [signal_text(value) for value in (-0.0, 0.59657, 1170.2, 2e-9)]
        ['0', '0.597', '1170', '2e-09']
    """
    if abs(value) < 1e-12:
        return "0"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _legend(loss: Loss, found: Sequence[Signal], *, braille: bool) -> str:
    """Return what the curves are, and what they take for granted."""
    marks = (_SOLID, _GAPS) if braille else ("***", "o o")
    names = [f"{mark} {one.name or loss.name}" for mark, one in zip(marks, found, strict=False)]
    names.append(f"{_LINE if braille else '...'} cross-entropy")
    shown = shown_for(loss)
    return "   ".join(names) + (f"   for {joined(shown)}" if shown else "")
