"""The progress of a running search; the terminal and other front ends implement `Progress`."""

from __future__ import annotations

from typing import Protocol

from autoloss.records import Plan, Update


class Progress(Protocol):
    """Receives the plan of a search, its progress, and notes for the user."""

    def planned(self, plan: Plan) -> None:
        """Show the plan."""

    def updated(self, update: Update) -> None:
        """Show the progress."""

    def noted(self, text: str) -> None:
        """Show one sentence that the user should know."""

    def detailed(self, text: str) -> None:
        """Show one sentence to users who ask for details."""


class Silent:
    """Progress that shows nothing."""

    def planned(self, plan: Plan) -> None:
        """Show nothing."""

    def updated(self, update: Update) -> None:
        """Show nothing."""

    def noted(self, text: str) -> None:
        """Show nothing."""

    def detailed(self, text: str) -> None:
        """Show nothing."""
