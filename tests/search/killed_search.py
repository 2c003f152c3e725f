"""Begins a study, tells three trials of its second batch, prints a line, and waits for a kill."""

from __future__ import annotations

import sys
import time

from autoloss.search import Study
from tests.search.fake_training import COUNTS, LABELS, logits_of, run


def main(out: str, storage: str | None, together: int) -> None:
    study = Study("s", COUNTS, trials=24, space="quick", out=out, storage=storage)
    run(study, together=together, at_most=1)
    for trial in study.ask(together)[:3]:
        study.tell(trial, logits_of(trial), LABELS, seconds=1.0)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    time.sleep(120)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] or None, int(sys.argv[3]))
