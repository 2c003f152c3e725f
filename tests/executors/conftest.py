from __future__ import annotations

from tests.training.conftest import job, mixed

__all__ = ["job", "mixed"]
