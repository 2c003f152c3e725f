"""The shipped model after some seconds, beside gradient boosting and other networks.

    python3.11 -m venv peers   # then as in benchmarks/peers.txt
    python -m benchmarks.peers --data DIR --peer-python peers/bin/python [--seconds 60]
        [--sets SET ...] [--peers PEER ...] [--what limit|default]

Every set is divided once into training and test rows (its own, or three quarters and a quarter by
the seed). Every peer gets the training rows and divides them further itself; it is judged by its
log loss on the test rows. `autoloss` runs as a program, and its seconds are those of the program.
A peer is a process whose clock starts after its imports. Each (set, peer, seconds, seed, cores)
is a line of JSON in `--log`; a line that is there is not made again. The cores are those that the
program may use: ``taskset -c 1 python -m benchmarks.peers ...`` gives one. The table is written to
``reports/quality/peers.md``; `--print` only writes it. Time-limited runs need a quiet machine: a
line has the cores that others kept busy ``beside`` it. Peers with one thread and
`--clock processor`, which counts processor seconds over cores, run beside other programs.

`--what default`: `autoloss` searches without a limit, and the peers get the seconds it took.
`first` is the model of the trial that finished first (with none, of trial 0), `cross_entropy` that
of tuned cross-entropy: both ship by ``autoloss select`` from the study that ``autoloss`` left in
`--work`. A trial that is no finalist is trained again for that, on the seeds of the finalists.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from benchmarks import peers_page
from benchmarks.log import add, read

Figures = dict[str, Any]
ROOT = Path(__file__).parents[1]
LOG, PAGE = Path("reports/quality/peers.jsonl"), Path("reports/quality/peers.md")
TEST = 0.25
FLOOR = 1e-7
"""The least probability that a peer is judged by, so that one row cannot decide."""
OURS = ("autoloss", "first", "cross_entropy")
PEERS = ("histgb", "lightgbm", "catboost", "autogluon", "realmlp", "tabm", "autogluon_nn")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""The cores that this program and those that it starts may use."""
DEFAULT = "default"
"""The seconds of a run without a limit, or of a peer that gets as many."""


@dataclass(frozen=True)
class Set:
    """A table: its name, its target, columns that are no inputs, and whether it has test rows."""

    name: str
    target: str
    drop: tuple[str, ...] = ()
    is_divided: bool = False
    part: str | None = None

    def divided(self, data: Path, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return training and test rows."""
        frame = pd.read_parquet(data / self.name / f"{self.name}.parquet")
        if self.part:
            frame = frame[frame["split"] == self.part]
        if self.is_divided:
            parts = frame.drop(columns="split")
            return parts[frame["split"] == "train"], parts[frame["split"] == "test"]
        frame = frame.drop(columns=[*self.drop, "split"], errors="ignore")
        train, test = train_test_split(
            frame, test_size=TEST, stratify=frame[self.target], random_state=seed
        )
        return train, test


SETS = (
    Set("satimage", "class", is_divided=True),
    Set("telco_churn", "Churn", ("customerID",)),
    Set("magic_gamma", "class"),
    Set("letter", "lettr", is_divided=True),
    Set("adult", "income", is_divided=True),
    Set("phoneme", "class"),
    Set("mammography", "class"),
    Set("wine_quality", "quality"),
    Set("pima", "class"),
    Set("vehicle", "Class"),
    Set("german_credit", "class"),
    Set("crowdsourced_mapping", "class", part="train"),
)


@dataclass(frozen=True)
class Run:
    """A peer on a set.

    Args:
        one: The set.
        peer: Its name.
        seconds: Its seconds, or `DEFAULT`.
        seed: The seed of division and peer.
    """

    one: Set
    peer: str
    seconds: float | str
    seed: int

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """Return the values that no two lines of the log share."""
        return self.one.name, self.peer, str(self.seconds), self.seed, CORES

    @property
    def study(self) -> str:
        """Return the name of the study of `autoloss`."""
        return f"{self.one.name}_{self.seconds}_{self.seed}_{CORES}"


def judged(probs: NDArray[np.float64], codes: NDArray[np.int64]) -> Figures:
    """Return log loss in nats and error of probabilities (N, C)."""
    probs = np.clip(probs, FLOOR, None)
    probs = probs / probs.sum(axis=1, keepdims=True)
    own = probs[np.arange(len(codes)), codes]
    return {
        "log_loss": round(float(-np.log(own).mean()), 5),
        "error": round(float((probs.argmax(axis=1) != codes).mean()), 5),
    }


class Others:
    """The processor time that other programs use from now on."""

    def __init__(self) -> None:
        self._wall, self._busy, self._own = time.monotonic(), _busy(), _own()

    def cores(self) -> float | None:
        """Return the cores that others kept busy on average; None where nothing counts them."""
        busy = _busy()
        if busy is None or self._busy is None:
            return None
        others = (busy - self._busy) - (_own() - self._own)
        return round(max(0.0, others) / (time.monotonic() - self._wall), 2)


def _busy() -> float | None:
    """Return the seconds that the usable cores were busy since the start of the machine."""
    counts = Path("/proc/stat")
    if not counts.exists():
        return None
    names = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    fields = map(str.split, counts.read_text(encoding="utf-8").splitlines())
    # User, nice and system time.
    ticks = sum(sum(map(int, own[1:4])) for own in fields if own and own[0] in names)
    return ticks / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Return the processor seconds of this process and of the processes that it awaited."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _names(labels: pd.Series) -> pd.Series:
    return labels.astype(str)


class Bench:
    """Runs peers, and knows where their rows, studies and figures are.

    Args:
        options: The options of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options

    def line(self, run: Run, seconds: float | None) -> Figures:
        """Return the figures of a run with a limit in seconds, or without."""
        train, test = run.one.divided(self.options.data, run.seed)
        classes = sorted(_names(train[run.one.target]).unique())
        codes = {name: code for code, name in enumerate(classes)}
        truth = _names(test[run.one.target]).map(codes).to_numpy(dtype=np.int64)
        others = Others()
        if run.peer in OURS:
            probs, found = self.our_probs(run, seconds, train, test, classes)
        else:
            assert seconds is not None
            coded = train.assign(**{run.one.target: _names(train[run.one.target]).map(codes)})
            probs, found = self.peer_probs(run, seconds, coded, test)
        limit = None if seconds is None or run.peer in OURS[1:] else seconds
        return {
            "set": run.one.name,
            "peer": run.peer,
            "seconds": run.seconds,
            "seed": run.seed,
            "cores": CORES,
            "rows": len(train),
            "test": len(test),
            **judged(probs, truth),
            "took": round(found.pop("took"), 1),
            "limit": None if limit is None else round(limit, 1),
            "beside": others.cores(),
            **found,
        }

    def peer_probs(
        self, run: Run, seconds: float, train: pd.DataFrame, test: pd.DataFrame
    ) -> tuple[NDArray[np.float64], Figures]:
        """Fit a peer in its own Python."""
        threads, target = self.options.threads, run.one.target
        cores = CORES if self.options.clock == "processor" else None
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            train.to_parquet(folder / "train.parquet", index=False)
            test.drop(columns=target).to_parquet(folder / "test.parquet", index=False)
            request = {
                "peer": run.peer,
                "target": target,
                "seconds": seconds,
                "seed": run.seed,
                "threads": threads,
                "cores": cores,
                "rounds": self.options.rounds,
            }
            (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
            command = [self.options.peer_python, "-m", "benchmarks.peer_models", name]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
            _call(command, environment)
            done = json.loads((folder / "done.json").read_text(encoding="utf-8"))
            done |= {"clock": self.options.clock, "threads": threads}
            return np.load(folder / "probs.npy"), done

    def our_probs(
        self,
        run: Run,
        seconds: float | None,
        train: pd.DataFrame,
        test: pd.DataFrame,
        classes: Sequence[str],
    ) -> tuple[NDArray[np.float64], Figures]:
        """Search, or ship another trial of an earlier search."""
        out = self.options.work.resolve() / self.options.tag
        study = out / run.study
        with tempfile.TemporaryDirectory() as name:
            started = time.monotonic()
            if run.peer == "autoloss":
                shutil.rmtree(study, ignore_errors=True)
                out.mkdir(parents=True, exist_ok=True)
                rows = out / f"{run.study}.parquet"
                train.to_parquet(rows, index=False)
                limit = [] if seconds is None else ["--time-limit", f"{seconds:g}s"]
                place = ["--target", run.one.target, "--name", run.study, "--out", str(out)]
                _autoloss("search", rows, *place, *limit, "--seed", run.seed, "--track", "off")
            else:
                _autoloss("select", study, "--trial", self.trial(run, study), "--json")
            took = time.monotonic() - started
            summary = _summary(study)
            file = Path(name) / "test.parquet"
            test.drop(columns=run.one.target).to_parquet(file, index=False)
            _autoloss("predict", study, file, "--output", Path(name) / "out.parquet", "--force")
            found = pd.read_parquet(Path(name) / "out.parquet")
        probs = np.stack([found[f"probability_{one}"].to_numpy() for one in classes], axis=1)
        states = [trial["state"] for trial in summary["trials"]]
        return probs, {
            "took": took,
            "version": self.options.tag,
            "about": {
                "trials": len(states),
                "complete": states.count("complete"),
                "decision": summary["verdict"]["decision"],
                "ships": summary["recommended"],
            },
        }

    def trial(self, run: Run, study: Path) -> int:
        """Return the trial of ``first`` or ``cross_entropy``."""
        summary = _summary(study)
        if run.peer == "cross_entropy":
            return int(summary["verdict"]["baseline"])
        done = [trial for trial in summary["trials"] if trial["state"] == "complete"]
        return int(min(done, key=lambda one: one["ended"])["number"]) if done else 0


def _summary(study: Path) -> Figures:
    found: Figures = json.loads((study / "summary.json").read_text(encoding="utf-8"))
    return found


def _autoloss(*arguments: object) -> None:
    """Run a command of autoloss, which chooses its own threads."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    _call([sys.executable, "-m", "autoloss", *map(str, arguments)], environment)


def _call(command: Sequence[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2_000:]}\n{done.stderr[-4_000:]}")


def runs(options: argparse.Namespace) -> list[Run]:
    """Return the runs of the options, all peers of a set and seed together."""
    seconds = DEFAULT if options.what == "default" else options.seconds
    sets = [one for one in SETS if one.name in options.sets]
    return [
        Run(one, peer, seconds, seed)
        for seed in range(options.first_seed, options.first_seed + options.seeds)
        for one in sets
        for peer in options.peers
    ]


def make(wanted: Sequence[Run], bench: Bench, log: Path) -> Iterator[Figures]:
    """Make the runs that the log lacks; yield each."""
    log.parent.mkdir(parents=True, exist_ok=True)
    for run in wanted:
        lines = read(log)
        tag = bench.options.tag if run.peer in OURS else None
        if any(peers_page.key(line) == (*run.key, tag) for line in lines):
            continue
        seconds = run.seconds
        if seconds == DEFAULT:
            limit = None if run.peer in OURS else _taken(lines, run, bench.options.tag)
        else:
            limit = float(seconds)
        line = bench.line(run, limit)
        add(log, line)
        yield line


def _taken(lines: Sequence[Figures], run: Run, tag: str) -> float:
    """Return the seconds that a default search of the set took."""
    key = (run.one.name, "autoloss", DEFAULT, run.seed, CORES, tag)
    for line in lines:
        if peers_page.key(line) == key:
            return float(line["took"])
    raise SystemExit(f"Peers of {run.one.name} get the seconds of autoloss: run it first.")


def main() -> None:
    """Make the runs that are missing; print them and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [one.name for one in SETS]
    parser.add_argument("--data", type=Path)
    parser.add_argument("--what", choices=("limit", "default"), default="limit")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sets", nargs="+", choices=known, default=known)
    parser.add_argument("--peers", nargs="+", choices=(*OURS, *PEERS), default=[*OURS, *PEERS])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--peer-python", default=sys.executable, help="of benchmarks/peers.txt")
    parser.add_argument("--threads", type=int, default=CORES, help="of a peer")
    parser.add_argument(
        "--rounds", type=int, default=500, help="most settings or networks of a peer"
    )
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall")
    parser.add_argument("--tag", default="now", help="the version of autoloss, for the table")
    parser.add_argument("--work", type=Path, default=Path("peers_work"), help="studies")
    parser.add_argument("--log", type=Path, default=LOG, help="runs, a line of JSON each")
    parser.add_argument("--out", type=Path, default=PAGE)
    parser.add_argument("--print", action="store_true", help="make no runs")
    options = parser.parse_args()
    if not options.print:
        for line in make(runs(options), Bench(options), options.log):
            print(json.dumps(line), flush=True)
    page = peers_page.markdown(read(options.log))
    options.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()
