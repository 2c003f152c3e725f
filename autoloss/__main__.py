"""``python -m autoloss`` is the program."""

from __future__ import annotations

import signal
import sys

from autoloss.core.interrupts import OF_SYSTEM, code_of


def main() -> None:
    """Run the program on the arguments of this process."""
    try:
        # Its imports and its commands take a moment to build, in which a signal may come.
        from autoloss.cli import main as run

        run()
    except KeyboardInterrupt as stop:
        sys.stderr.write("autoloss: interrupted.\n")
        sys.exit(code_of(stop))
    finally:
        # Python removes its modules for a while, and would show a traceback of a signal there.
        for one in (signal.SIGINT, *OF_SYSTEM):
            if signal.getsignal(one) is not signal.SIG_IGN:
                signal.signal(one, signal.SIG_DFL)


if __name__ == "__main__":
    main()
