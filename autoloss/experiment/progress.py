"""How a running search is watched: the terminal and other front ends implement `Progress`."""

from __future__ import annotations

from typing import Protocol

from autoloss.records import Plan, Update


class Progress(Protocol):
    """Receives what a search is about to do, where it stands, and what the user should know."""

    def planned(self, plan: Plan) -> None:
        """Show what is going to be done."""

    def updated(self, update: Update) -> None:
        """Show where the search stands."""

    def noted(self, text: str) -> None:
        """Show one sentence that the user should know."""

    def detailed(self, text: str) -> None:
        """Show one sentence that only who asks for details wants to know."""


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
