"""The page of `benchmarks.peers`: log loss of each peer on each set, and mean ranks."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import rankdata

Line = Mapping[str, Any]
TITLES = {
    "autoloss": "autoloss",
    "cross_entropy": "its tuned cross-entropy",
    "first": "its first model",
    "realmlp": "RealMLP",
    "tabm": "TabM",
    "autogluon_nn": "AutoGluon's network",
    "histgb": "HistGB",
    "lightgbm": "LightGBM",
    "catboost": "CatBoost",
    "autogluon": "AutoGluon",
}
NETWORKS = ("autoloss", "realmlp", "tabm", "autogluon_nn")
UNRANKED = ("cross_entropy", "first")
OVER = 1.15
"""A run that took more of its limit is marked."""

BESIDE = 0.2
"""Cores that other programs may keep busy beside a run with a wall clock."""


def cores(line: Line) -> int:
    """Return the cores that a run could use."""
    return int(line.get("cores", 2))


def key(line: Line) -> tuple[str, str, str, int, int, str | None]:
    """Return set, peer, seconds, seed, cores, and the version of ours."""
    own = line["version"] if line["peer"] in ("autoloss", *UNRANKED) else None
    return line["set"], line["peer"], str(line["seconds"]), line["seed"], cores(line), own


def markdown(lines: Sequence[Line]) -> str:
    """Return the figures as a page."""
    parts = [
        "# Peers",
        "```console\n$ python -m benchmarks.peers --data DIR --peer-python PYTHON\n```",
        "Log loss in nats on the test rows of each set, the mean over the seeds; the same "
        "training rows, seconds and cores for all. *: took more than 15 % over its seconds. "
        f"†: other programs kept more than {BESIDE} of a core busy. Bold: the lowest of the "
        "networks. The first model and tuned cross-entropy of autoloss have no rank.",
        "RealMLP and TabM: the defaults for log loss, a mean of as many networks as fit, fewer "
        "epochs where not even one fits. AutoGluon's network: its default and its tuned settings, "
        "an ensemble. LightGBM and CatBoost: the defaults, then random settings, with early "
        "stopping. HistGB: the defaults. Ranks: among the peers with half of the sets of "
        "autoloss or more, on the sets that these share. `peers.jsonl` has the epochs, networks, "
        "settings and the clock of each run: the wall's, or processor seconds of one thread over "
        "the cores.",
    ]
    for seconds, count in dict.fromkeys((str(line["seconds"]), cores(line)) for line in lines):
        own = [line for line in lines if str(line["seconds"]) == seconds and cores(line) == count]
        versions = list(
            dict.fromkeys(line["version"] for line in own if line["peer"] == "autoloss")
        )
        for version in versions or [None]:
            name = f"{seconds} seconds" if seconds != "default" else "The time of a default search"
            name += f" on {count} core{'s' * (count > 1)}"
            parts.append(f"## {name}" + (f", autoloss {version}" if version else ""))
            found = [line for line in own if key(line)[-1] in (None, version)]
            parts += [table(found), "Mean ranks:", ranks(found)]
    noted = [line for line in lines if "note" in line]
    notes = [f"{one['set']}, {TITLES[one['peer']]}: {one['note']}" for one in noted]
    return "\n\n".join([*parts, *notes]) + "\n"


def _cells(lines: Sequence[Line]) -> dict[str, dict[str, list[Line]]]:
    """Return the lines of each set and peer."""
    found: dict[str, dict[str, list[Line]]] = {}
    for line in lines:
        found.setdefault(line["set"], {}).setdefault(line["peer"], []).append(line)
    return found


def _mean(lines: Sequence[Line]) -> float:
    return statistics.fmean(line["log_loss"] for line in lines)


def is_over(line: Line) -> bool:
    """Return whether a run took longer than it had."""
    return line["limit"] is not None and line["took"] > OVER * line["limit"]


def is_disturbed(line: Line) -> bool:
    """Return whether other programs took processor time from a run that sees the wall clock."""
    return line.get("clock") != "processor" and (line.get("beside") or 0.0) > BESIDE


def table(lines: Sequence[Line]) -> str:
    """Return a row for each set, with log loss and seconds of each peer."""
    cells = _cells(lines)
    peers = [peer for peer in TITLES if any(peer in row for row in cells.values())]
    rows = [["set", "rows", "seeds", *(TITLES[peer] for peer in peers)]]
    for name, row in cells.items():
        networks = [_mean(row[peer]) for peer in NETWORKS if peer in row]
        one = next(iter(row.values()))
        texts = [name, str(one[0]["rows"]), str(max(len(own) for own in row.values()))]
        for peer in peers:
            if peer not in row:
                texts.append("")
                continue
            mean = _mean(row[peer])
            text = f"{mean:.4f}" + ("*" if any(map(is_over, row[peer])) else "")
            text += "†" if any(map(is_disturbed, row[peer])) else ""
            is_lowest = peer in NETWORKS and mean == min(networks)
            took = statistics.fmean(line["took"] for line in row[peer])
            texts.append((f"**{text}**" if is_lowest else text) + f" ({took:.0f} s)")
        rows.append(texts)
    return _text(rows)


def ranks(lines: Sequence[Line]) -> str:
    """Return the mean rank of each peer, of all and of networks."""
    titles = [title for peer, title in TITLES.items() if peer not in UNRANKED]
    rows = [["of", "sets", *titles]]
    every = [peer for peer in TITLES if peer not in UNRANKED]
    tuned = [
        {**line, "peer": "autoloss"} if line["peer"] == "cross_entropy" else line
        for line in lines
        if line["peer"] != "autoloss"
    ]
    kinds = (
        ("all", lines, every),
        ("networks", lines, NETWORKS),
        ("networks, of autoloss its tuned cross-entropy", tuned, NETWORKS),
    )
    for title, own, of in kinds:
        sets, found = mean_ranks(own, of)
        if "autoloss" not in found and own is tuned:
            continue
        ranked = [found.get(peer) for peer in every]
        rows.append([title, str(sets), *("" if one is None else f"{one:.2f}" for one in ranked)])
    return _text(rows)


def mean_ranks(lines: Sequence[Line], of: Sequence[str]) -> tuple[int, dict[str, float]]:
    """Return the number of sets that the ranked peers share, and their mean ranks.

    Peers are ranked that have at least half of the sets of autoloss; without autoloss, of all
    sets. Ranks are of the mean log loss over the seeds that these peers share; 1 is the lowest,
    and equal ones share a rank.
    """
    cells = {name: row for name, row in _cells(lines).items() if not row.keys().isdisjoint(of)}
    ours = {name: row for name, row in cells.items() if "autoloss" in row}
    cells = ours or cells
    peers = [p for p in of if 2 * sum(p in row for row in cells.values()) >= len(cells)]
    table = []
    for row in cells.values():
        if not row.keys() >= set(peers):
            continue
        each = [{line["seed"]: line for line in row[peer]} for peer in peers]
        seeds = set.intersection(*map(set, each)) if each else set()
        if seeds:
            table.append(rankdata([_mean([own[seed] for seed in seeds]) for own in each]))
    if not table:
        return 0, {}
    return len(table), {
        peer: float(statistics.fmean(row[place] for row in table))
        for place, peer in enumerate(peers)
    }


def _text(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a table in Markdown."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
