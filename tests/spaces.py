"""Search spaces of tests: a search of them takes a moment."""

from __future__ import annotations

from pathlib import Path

PROTOCOL = """
[protocol]
folds = 1
replicates = 2
outer_folds = 0
"""
"""One division, one locked part, few training runs: the least that the end of a search needs."""
SETTINGS = """
together = 8
[network]
width = 16
bins = 4
[training]
max_epochs = 4
patience = 2
"""
SMALL = f'bases = ["cross_entropy", "brier", "focal"]{SETTINGS}{PROTOCOL}'
TWO_BASES = f'bases = ["cross_entropy", "focal"]{SETTINGS}{PROTOCOL}'


def make_quicker() -> str:
    """Return the space quick with a network and a protocol that take a moment."""
    path = Path(__file__).parents[1] / "search_spaces" / "quick.toml"
    text = path.read_text(encoding="utf-8")
    assert "width = 128" in text
    return text.partition("[protocol]")[0].replace("width = 128", "width = 32") + PROTOCOL
