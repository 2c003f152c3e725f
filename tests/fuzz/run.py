"""Runs readers on changed files, in child processes with bounds of time and memory."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import random
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import unicodedata
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz import mutate
from tests.fuzz.bombs import BOMBS, files_of, reader_of
from tests.fuzz.readers import READERS, Reader, Seeds

SECONDS = 20
"""Processor seconds of a case, on a machine that other programs use too."""
MEMORY = 1 << 30
"""Bytes that a case may add to the resident memory of its process."""
_ADDRESSES = 6 << 30
"""Bytes of addresses beyond those of the libraries; threads and allocators reserve some."""
_SILENCE = 300.0
"""Seconds after which a child that says nothing is killed."""
_AT_ONCE = 100


@dataclass
class Outcome:
    """The outcome of the cases of a reader.

    Args:
        cases: Their number.
        read: Cases that were read.
        refused: Cases that were refused in one line.
        failed: The other cases, by the number of the case.
        peak: Most bytes that a case added to the memory.
        slowest: Most processor seconds of a case.
    """

    cases: int = 0
    read: int = 0
    refused: int = 0
    failed: dict[int, str] = field(default_factory=dict)
    peak: int = 0
    slowest: float = 0.0
    lines: Counter[str] = field(default_factory=Counter)


def fuzz(name: str, count: int, *, seed: int = 0) -> Outcome:
    """Run a reader on a number of changed sources.

    Args:
        name: The reader.
        count: The number of cases.
        seed: The cases are a function of it.
    """
    found, place = Outcome(), 0
    while place < count:
        last = place
        for number, kind, text, peak, seconds in _child(
            name, place, min(place + _AT_ONCE, count), seed
        ):
            last = number + 1
            found.cases += 1
            found.peak = max(found.peak, peak)
            found.slowest = max(found.slowest, seconds)
            if kind == "read":
                found.read += 1
            elif kind == "refused" and (number > 0 or name in BOMBS):
                found.refused += 1
                found.lines[text] += 1
            else:
                found.failed[number] = f"{kind}: {text}"
        place = max(last, place + 1)
    return found


def case(name: str, number: int, *, seed: int = 0) -> Seeds:
    """Return the files of a case; the first has no change, and must be read."""
    if name in BOMBS:
        return files_of(name)
    reader = READERS[name]
    if number == 0:
        return reader.seeds()
    chance = random.Random(f"{name} {number} {seed}")
    files = dict(reader.seeds())
    for _ in range(chance.choice((1, 1, 2))):
        key = chance.choice([one for one in sorted(files) if one not in reader.fixed])
        files[key] = mutate.changed(files[key], _changes(reader, key), chance)
    return files


def _reader(name: str) -> Reader:
    """Return the reader of a name, or of a bomb."""
    return reader_of(name) if name in BOMBS else READERS[name]


def _changes(reader: Reader, key: str) -> tuple[mutate.Change, ...]:
    """Return the changes that fit a file of a folder."""
    if key.endswith(".safetensors"):
        return mutate.SAFETENSORS
    return mutate.ZIP if key.endswith(".npz") else reader.changes


def _child(
    name: str, start: int, stop: int, seed: int
) -> Iterator[tuple[int, str, str, int, float]]:
    """Run cases in a child process; a case that ends it is reported as a failure."""
    _reader(name).seeds()
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(source)
        _run_all(name, start, stop, seed, sink)
    os.close(sink)
    number, text, is_killed = start, b"", False
    try:
        while True:
            ready, _, _ = select.select([source], [], [], _SILENCE)
            if not ready:
                os.kill(child, signal.SIGKILL)
                is_killed = True
                yield number, "hang", f"no answer after {_SILENCE:.0f} s", 0, _SILENCE
                break
            piece = os.read(source, 1 << 16)
            if not piece:
                break
            text += piece
            *lines, text = text.split(b"\n")
            for line in lines:
                one = json.loads(line)
                number = one[0] + 1
                yield tuple(one)
    finally:
        os.close(source)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0 and not is_killed and number < stop:
        yield number, "crash", f"the process ended with {code}", 0, 0.0


def _run_all(name: str, start: int, stop: int, seed: int, sink: int) -> None:
    """Run cases in this process, which ends here."""
    # Not every system has it.
    import resource

    code = 1
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        if not os.environ.get("FUZZ_LOUD"):
            os.dup2(null, 2)
        signal.signal(signal.SIGPROF, _stop)
        size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * 4096
        resource.setrlimit(resource.RLIMIT_AS, (size + _ADDRESSES,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for number in range(start, stop):
            line = json.dumps([number, *_run(name, number, seed)])
            os.write(sink, line.encode() + b"\n")
        code = 0
    finally:
        os._exit(code)


class Hang(BaseException):
    """A case takes too long."""


def _stop(number: int, frame: object) -> None:
    raise Hang


def _run(name: str, number: int, seed: int) -> tuple[str, str, int, float]:
    """Run a case; return its outcome, a text, the bytes that it added, and its seconds."""
    from autoloss.core.errors import InputError

    folder, reader = Path(tempfile.mkdtemp(prefix="fuzz-")), _reader(name)
    try:
        for key, content in case(name, number, seed=seed).items():
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(content)
        before, memory, began = _state(folder), _reset_peak(), time.process_time()
        kind, text = "read", ""
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                reader.use(folder / reader.target)
        except InputError as error:
            kind, text = _refusal(error, folder, is_list=name.startswith(("space", "loss")))
        except Hang:
            kind, text = "hang", f"more than {SECONDS} s"
        except BaseException as error:
            kind, text = "raised", "".join(traceback.format_exception(error))[-2_500:]
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds, added = time.process_time() - began, _peak() - memory
        if kind in ("read", "refused") and added > MEMORY:
            kind, text = "memory", f"{added >> 20} MiB more; {text}"
        if kind in ("read", "refused") and not _is_kept(before, _state(folder)):
            kind, text = "overwritten", "the source has changed"
        return kind, text, added, seconds
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _refusal(error: Exception, folder: Path, *, is_list: bool) -> tuple[str, str]:
    """Return whether a refusal has the form of a message to a user."""
    # The two that list all mistakes of a file have a line for each.
    lines = str(error).splitlines() if is_list else (str(error),)
    for line in lines:
        if not line.strip() or len(line.splitlines()) != 1:
            return "form", f"not one line: {line!r:.300}"
        if len(line) > 2_500:
            return "form", f"{len(line)} characters: {line[:200]!r}"
        if any(unicodedata.category(one) in ("Cc", "Cs") for one in line):
            return "form", f"characters that steer a terminal: {line!r:.300}"
    return "refused", lines[0].replace(str(folder), "")[:120]


def _state(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {
        str(one.relative_to(folder)): one.read_bytes()
        for one in folder.rglob("*")
        if one.is_file()
    }


def _is_kept(before: dict[str, bytes], after: dict[str, bytes]) -> bool:
    """Return whether files are as they were; a journal may have more lines."""
    return before.keys() == after.keys() and all(
        content == after[name]
        or (name.endswith(".journal") and after[name].startswith(_whole_lines(content)))
        for name, content in before.items()
    )


def _whole_lines(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


def _reset_peak() -> int:
    """Return the resident memory in bytes, from which the peak counts from now on."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _peak()


def _peak() -> int:
    """Return the highest resident memory in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def _load() -> None:
    """Import all that the readers import, once for all child processes."""
    for name in ("data", "diagnosis", "experiment", "inference", "search"):
        package = importlib.import_module(f"autoloss.{name}")
        for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(one.name)
    for name in (
        "openpyxl",
        "pyarrow.feather",
        "pyarrow.parquet",
        "PIL.Image",
        "sklearn.datasets",
    ):
        importlib.import_module(name)
    importlib.import_module("PIL.Image").init()


def main(words: list[str]) -> None:
    """Run ``COUNT SEED FILE NAME...``, print the failures, and write the outcomes as JSON."""
    _load()
    count, seed, file, names = int(words[0]), int(words[1]), Path(words[2]), words[3:]
    every: dict[str, Any] = {}
    for name in names or [*READERS, *BOMBS]:
        began = time.monotonic()
        found = fuzz(name, 1 if name in BOMBS else count, seed=seed)
        every[name] = {key: value for key, value in asdict(found).items() if key != "lines"}
        print(
            f"{name}: {found.cases} cases, {found.read} read, {found.refused} refused,"
            f" {len(found.failed)} failed, {found.peak >> 20} MiB, {found.slowest:.1f} s of CPU,"
            f" {time.monotonic() - began:.0f} s",
            flush=True,
        )
        kinds: dict[str, list[int]] = {}
        for number, text in found.failed.items():
            kinds.setdefault(text[-300:], []).append(number)
        for numbers in kinds.values():
            print(f"  {numbers[:8]} ({len(numbers)}): {found.failed[numbers[0]][-1_200:]}")
        if os.environ.get("FUZZ_LOUD"):
            for text, times in found.lines.most_common(30):
                print(f"    {times:4} {text}")
    file.write_text(json.dumps(every, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
