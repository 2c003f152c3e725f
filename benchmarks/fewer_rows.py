"""The cost of a search on fewer training rows, and its loss, beside a search on all rows.

    python -m benchmarks.fewer_rows --data DIR [--sets SET ...] [--trials 32] [--seeds 1]
        [--shares 0.25 0.1] [--space quick] [--out reports/quality/fewer_rows.jsonl]

Each set is divided into training and test rows once. A search compares its candidates on all
training rows, the others on a share of them; the finalists of each train on all. The figures:
processor seconds of the search alone and of the whole, and the log loss of the shipped model on
the test rows. A line of the log is not made again; the table is written beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

import autoloss
from autoloss.experiment import running
from benchmarks.log import add, read
from benchmarks.peers import SETS, Set, judged

LOG = Path("reports/quality/fewer_rows.jsonl")
LARGE = (*SETS, Set("kddcup99_10pct", "label"))
"""The tables, of which some are large."""
DEFAULT = ("magic_gamma", "letter", "adult")
SECONDS = ("search_seconds", "seconds")
MOST = 120_000
"""The most training rows that are taken from a set."""


def searched(
    one: Set, options: argparse.Namespace, rows: int, seed: int, *, share: float
) -> dict[str, Any]:
    """Return the figures of a search that compares candidates on some rows; 0 for all."""
    train, test = one.divided(options.data, seed)
    train = train.sample(min(MOST, len(train)), random_state=seed)
    began, search_ended = time.process_time(), []
    conclude = running.conclude

    def concluding(*given: Any, **more: Any) -> Any:
        search_ended.append(time.process_time())
        return conclude(*given, **more)

    with (
        tempfile.TemporaryDirectory() as out,
        mock.patch("autoloss.experiment.running.conclude", concluding),
    ):
        space = Path(out, "space.toml")
        shipped = Path("search_spaces", f"{options.space}.toml").read_text(encoding="utf-8")
        space.write_text(
            shipped.replace("[protocol]\n", f'[protocol]\nrows = {rows}\njudge = "locked"\n'),
            encoding="utf-8",
        )
        result = autoloss.search(
            train,
            target=one.target,
            space=space,
            trials=options.trials,
            seed=seed,
            out=out,
            track="off",
            # The processor seconds are those of this process.
            workers=1,
            refit=False,
        )
    ended = time.process_time()
    model = result.model
    assert model is not None
    known = test[test[one.target].isin(train[one.target])]
    codes = known[one.target].map({name: i for i, name in enumerate(model.classes)})
    probs = model.predict_proba(known.drop(columns=one.target))
    return {
        "set": one.name,
        "seed": seed,
        "trials": options.trials,
        "space": options.space,
        "rows": result.summary.data.n_train,
        "compared_on": rows or result.summary.data.n_train,
        "share": share,
        "search_seconds": round(search_ended[0] - began, 1),
        "seconds": round(ended - began, 1),
        **judged(np.asarray(probs), codes.to_numpy(np.int64)),
    }


def markdown(lines: list[dict[str, Any]]) -> str:
    """Return the table of the figures."""
    head = (
        "# Searches on fewer training rows\n\n"
        "`python -m benchmarks.fewer_rows --data DIR` writes this page. Processor seconds of one "
        "thread; log loss in nats of the shipped model, on rows that no search saw. The finalists "
        "train on all rows. Cost and log loss are compared with the search on all rows of the "
        "same seed.\n\n"
        "| set | training rows | compared on | seed | search | cost | whole | cost | log loss | "
        "change | error |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    rows = []
    whole = {(one["set"], one["seed"]): one for one in lines if one["share"] == 1.0}
    for one in sorted(lines, key=lambda line: (line["set"], line["seed"], -line["share"])):
        full = whole.get((one["set"], one["seed"]), one)
        costs = [f"{one[key]:.0f} s | {one[key] / full[key]:.2f}" for key in SECONDS]
        rows.append(
            f"| {one['set']} | {one['rows']:,} | {one['compared_on']:,} | {one['seed']} "
            f"| {costs[0]} | {costs[1]} | {one['log_loss']:.4f} "
            f"| {one['log_loss'] - full['log_loss']:+.4f} | {one['error']:.2%} |"
        )
    return head + "\n".join(rows) + "\n"


def main() -> None:
    """Run the searches that the log lacks, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [one.name for one in LARGE]
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", choices=known, default=DEFAULT)
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--shares", nargs="+", type=float, default=[0.25])
    parser.add_argument("--space", default="quick")
    parser.add_argument("--out", type=Path, default=LOG)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for seed in range(options.seeds):
        for one in (one for one in LARGE if one.name in options.sets):
            for share in (1.0, *options.shares):
                lines = read(options.out)
                done = {(line["set"], line["seed"], line["share"]): line for line in lines}
                if (one.name, seed, share) in done:
                    continue
                rows = 0
                if share < 1.0:
                    rows = round(share * done[one.name, seed, 1.0]["rows"])
                print(add(options.out, searched(one, options, rows, seed, share=share)), end="")
                page = markdown(read(options.out))
                options.out.with_suffix(".md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
