"""``python -m autoloss`` is the program."""

from __future__ import annotations

from autoloss.cli import main

if __name__ == "__main__":
    main()
