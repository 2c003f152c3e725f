"""Figures as SVG: they need no script, follow the page's colours, and print as they are."""

from __future__ import annotations

from autoloss.report.svg.draw import WIDTHS, figure_svg

__all__ = ["WIDTHS", "figure_svg"]
