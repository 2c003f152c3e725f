"""``python -m autoloss`` is the program."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the program on the arguments of this process."""
    try:
        # It takes a moment, in which the user may press Ctrl-C.
        from autoloss.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("autoloss: interrupted.\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
