"""The command line: it parses, calls `autoloss.api` and shows; it decides nothing."""

from __future__ import annotations

from autoloss.cli.app import app, main

__all__ = ["app", "main"]
