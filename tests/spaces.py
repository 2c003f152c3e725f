"""Search spaces of tests: a search of them takes a moment."""

from __future__ import annotations

PROTOCOL = """
[protocol]
folds = 1
replicates = 2
outer_folds = 0
"""
"""One division, one locked part, few trainings: what the end of a search needs at least."""
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
