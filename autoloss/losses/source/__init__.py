"""A loss as Python code that needs torch alone, to paste into a project."""

from __future__ import annotations

from autoloss.losses.source.write import loss_source

__all__ = ["loss_source"]
