"""The readers of the package, each with valid files and a use of their contents."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz import mutate
from tests.fuzz.mutate import Change

Seeds = dict[str, bytes]
"""Files by their path below the folder of a case."""


@dataclass(frozen=True)
class Reader:
    """A reader.

    Args:
        seeds: Returns the files of a sound source; each key may be changed.
        use: Reads the source in a folder.
        changes: The changes of a file.
        target: The path below the folder that `use` reads.
        fixed: Files that are never changed.
    """

    seeds: Callable[[], Seeds]
    use: Callable[[Path], object]
    changes: tuple[Change, ...]
    target: str = ""
    fixed: tuple[str, ...] = ()


@cache
def _frame() -> Any:
    import pandas as pd

    return pd.DataFrame(
        {
            "size": [i * 37 % 101 / 7 for i in range(60)],
            "colour": [("red", "green", "blue", None)[i * i % 4] for i in range(60)],
            "since": [f"2020-0{1 + i % 9}-1{i % 10}" for i in range(60)],
            "note": [f"word{i % 17} and word{i % 5}, again" for i in range(60)],
            "target": [("no", "yes")[i % 5 > 2] for i in range(60)],
        }
    )


def _table(ending: str) -> Callable[[], Seeds]:
    def seeds() -> Seeds:
        frame, stream = _frame(), io.BytesIO()
        if ending == "csv":
            content = frame.to_csv(index=False).encode()
        elif ending == "csv.gz":
            content = gzip.compress(frame.to_csv(index=False).encode(), 1)
        elif ending == "tsv":
            content = frame.to_csv(index=False, sep="\t").encode("utf-16")
        elif ending == "json":
            content = frame.to_json(orient="records").encode()
        elif ending == "jsonl":
            content = frame.to_json(orient="records", lines=True).encode()
        elif ending == "arff":
            content = _arff(frame)
        else:
            if ending == "xlsx":
                frame.head(24).to_excel(stream, index=False)
            elif ending == "parquet":
                frame.to_parquet(stream, index=False)
            else:
                frame.to_feather(stream)
            content = stream.getvalue()
        return {f"table.{ending}": content}

    return seeds


def _arff(frame: Any) -> bytes:
    lines = [
        "% a comment",
        "@relation 'a table'",
        "@attribute size numeric",
        "@attribute colour {red, green, blue}",
        "@attribute 'since' string",
        "@attribute note string",
        "@attribute target {no, yes}",
        "@data",
    ]
    for row in frame.itertuples(index=False):
        lines.append(f"{row.size},{row.colour or '?'},{row.since},'{row.note}',{row.target}")
    return "\n".join(lines).encode()


def _prepare(**options: Any) -> Callable[[Path], object]:
    def use(source: Path) -> object:
        from autoloss.core.settings import ProtocolConfig
        from autoloss.data import DataOptions, prepare

        protocol = ProtocolConfig(folds=2, outer_folds=0)
        return prepare(source, DataOptions(**options), protocol=protocol)

    return use


def _conll(universal: bool) -> Callable[[], Seeds]:
    def seeds() -> Seeds:
        lines = [
            "# global.columns = ID FORM LEMMA UPOS XPOS FEATS HEAD DEPREL DEPS MISC"
        ] * universal
        for i in range(30):
            for k in range(4 + i % 3):
                word, tag = f"w{(i * k) % 13}", ("O", "B-PER", "I-PER")[(i + k) % 3]
                lines.append(
                    f"{k + 1}\t{word}\t_\t{tag}\t_\t_\t0\troot\t_\t_"
                    if universal
                    else f"{word} {tag}"
                )
            lines.append("")
        return {f"tokens.{'conllu' if universal else 'conll'}": "\n".join(lines).encode()}

    return seeds


def _pictures() -> Seeds:
    import numpy as np
    from PIL import Image

    found = {}
    endings = ("png", "jpg", "gif", "bmp", "tiff", "webp", "ppm", "png")
    chance = np.random.default_rng(0)
    for i in range(40):
        stream = io.BytesIO()
        picture = Image.fromarray(chance.integers(0, 256, (6, 7, 3)).astype(np.uint8))
        ending = endings[i % len(endings)]
        picture.save(stream, {"jpg": "JPEG"}.get(ending, ending.upper()))
        found[f"pictures/{('ant', 'bee')[i % 2]}/{i:02}.{ending}"] = stream.getvalue()
    return found


def _arrays(**arrays: Any) -> bytes:
    import numpy as np

    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _image_arrays() -> Seeds:
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6)).astype(np.uint8)
    labels = np.array(["ant", "bee"] * 20)
    return {"images.npz": _arrays(images=images, labels=labels)}


def _logits() -> Seeds:
    import numpy as np

    logits = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    labels = np.arange(60) % 3
    return {"logits.npz": _arrays(logits=logits, labels=labels, classes=np.array(["a", "b", "c"]))}


def _diagnose(file: Path) -> object:
    from autoloss.diagnosis.files import read_scores

    return read_scores(file)


def _teacher(ending: str) -> Callable[[], Seeds]:
    def seeds() -> Seeds:
        import numpy as np
        import pandas as pd

        probs = np.full((60, 2), 0.5)
        if ending == "npz":
            content = _arrays(probs=probs, row=np.arange(60), classes=np.array(["no", "yes"]))
        else:
            columns = {"row": range(60), "probability_no": probs[:, 0], "probability_yes": 0.5}
            content = pd.DataFrame(columns).to_csv(index=False).encode()
        return {f"teacher.{ending}": content}

    return seeds


@cache
def _data() -> Any:
    return _prepare(target="target")(_frame())


def _teach(file: Path) -> object:
    from autoloss.experiment.teachers.opening import open_teacher

    teacher = open_teacher(str(file))
    assert teacher is not None
    return teacher.of(_data(), 0)


def _costs() -> Seeds:
    return {"costs.csv": b",no,yes,reject\nno,0,1.5,0.2\nyes,5,0,0.2\n"}


def _check_costs(file: Path) -> object:
    from autoloss.data.costs import check_costs, ordered_costs

    return ordered_costs(check_costs(file), _data().task)


def _spaces() -> Seeds:
    from autoloss.search.shipped_spaces import shipped_spaces

    return {"space.toml": (shipped_spaces() / "default.toml").read_bytes()}


def _space(file: Path) -> object:
    from autoloss.search.space_reader import load_space

    return load_space(file)


def _losses(ending: str) -> Callable[[], Seeds]:
    def seeds() -> Seeds:
        from autoloss.losses import LossSpec

        spec = LossSpec.from_dict({"base": "focal", "focal.gamma": 2.0, "target": "smoothing"})
        return {
            f"loss.{ending}": (spec.to_toml() if ending == "toml" else spec.to_json()).encode()
        }

    return seeds


def _loss(file: Path) -> object:
    from autoloss.losses import LossSpec

    text = file.read_bytes().decode("utf-8", "replace")
    read = LossSpec.from_toml if file.suffix == ".toml" else LossSpec.from_json
    return read(text)


@cache
def _model() -> Seeds:
    from tests.export.models import make_classifier, make_frame

    frame = make_frame().assign(text=[f"w{k % 40} is here now {k % 7}" for k in range(240)])
    return _saved(make_classifier(frame))


def _saved(classifier: Any) -> Seeds:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        folder = classifier.save(Path(place) / "model")
        return {f"model/{one.name}": one.read_bytes() for one in folder.iterdir()}


def _predict(folder: Path) -> object:
    from autoloss.inference.loading import load
    from tests.export.models import make_frame

    frame = make_frame(20).assign(text="w1 is here")
    return load(folder).predict_proba(frame)


@cache
def _study() -> Seeds:
    import tempfile

    import autoloss
    from tests.spaces import SMALL

    with tempfile.TemporaryDirectory() as place:
        space, out = Path(place) / "small.toml", Path(place) / "out"
        space.write_text(SMALL, encoding="utf-8")
        autoloss.search("sklearn:iris", space=space, trials=6, out=out, name="study", track="off")
        files = {
            f"out/study/{one.relative_to(out / 'study').as_posix()}": one.read_bytes()
            for one in (out / "study").rglob("*")
            if one.is_file()
        }
    kept = (".json", ".log", ".npz", ".journal", ".jsonl")
    return {name: content for name, content in files.items() if name.endswith(kept)}


def _summary() -> Seeds:
    return {"out/study/summary.json": _study()["out/study/summary.json"]}


def _resume(out: Path) -> object:
    from autoloss.search.folders import list_studies, read_finished
    from autoloss.search.study import Study

    errors = []
    for one in (
        lambda: list_studies(out),
        lambda: read_finished("study", out=out),
        lambda: _opened(Study.open("study", out=out)),
    ):
        try:
            one()
        except Exception as error:
            errors.append(error)
    # The first that is no refusal counts.
    from autoloss.core.errors import InputError

    for error in sorted(errors, key=lambda one: isinstance(one, InputError)):
        raise error
    return None


def _report(out: Path) -> object:
    import tempfile

    from autoloss.cli.commands.report import report

    with tempfile.TemporaryDirectory() as place:
        report("study", to=Path(place) / "report", out=out)
    return None


def _opened(study: Any) -> None:
    try:
        list(study.trials)
        study.snapshot()
    finally:
        study.close()


TABLES = ("csv", "csv.gz", "tsv", "json", "jsonl", "arff", "xlsx", "parquet", "feather")
_CHANGES = {
    "csv.gz": mutate.GZIP,
    "json": mutate.JSON,
    "jsonl": mutate.JSON,
    "xlsx": mutate.ZIP,
    "parquet": mutate.BINARY,
    "feather": mutate.BINARY,
}
READERS = {
    **{
        f"table.{ending}": Reader(
            _table(ending),
            _prepare(target="target"),
            _CHANGES.get(ending, mutate.TEXT),
            f"table.{ending}",
        )
        for ending in TABLES
    },
    "tokens.conll": Reader(
        _conll(False), _prepare(tokens="0", target="1"), mutate.TEXT, "tokens.conll"
    ),
    "tokens.conllu": Reader(
        _conll(True), _prepare(tokens="FORM", target="UPOS"), mutate.TEXT, "tokens.conllu"
    ),
    "pictures": Reader(_pictures, _prepare(), mutate.BINARY, "pictures"),
    "pictures.npz": Reader(_image_arrays, _prepare(), mutate.ZIP, "images.npz"),
    "logits.npz": Reader(_logits, _diagnose, mutate.ZIP, "logits.npz"),
    "teacher.npz": Reader(_teacher("npz"), _teach, mutate.ZIP, "teacher.npz"),
    "teacher.csv": Reader(_teacher("csv"), _teach, mutate.TEXT, "teacher.csv"),
    "costs": Reader(_costs, _check_costs, mutate.TEXT, "costs.csv"),
    "space": Reader(_spaces, _space, mutate.TEXT, "space.toml"),
    "loss.toml": Reader(_losses("toml"), _loss, mutate.TEXT, "loss.toml"),
    "loss.json": Reader(_losses("json"), _loss, mutate.JSON, "loss.json"),
    "model": Reader(_model, _predict, mutate.JSON, "model"),
    "study": Reader(_study, _resume, mutate.JSON, "out"),
    "report": Reader(_summary, _report, mutate.JSON, "out"),
}
