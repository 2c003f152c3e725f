"""The command line: it parses, calls `autoloss.api` and shows; it decides nothing.

Floor 9. Imports from floors 1 to 8, and from bench.
"""

from __future__ import annotations

from autoloss.cli.app import app, main

__all__ = ["app", "main"]
