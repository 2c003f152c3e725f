"""Input, tables and page of ``autoloss diagnose``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.text import Text

from autoloss.cli.options import OUT
from autoloss.cli.predictions import model_folder
from autoloss.cli.tables import show_pairs, show_table
from autoloss.cli.terminal import spelt
from autoloss.core.errors import InputError

if TYPE_CHECKING:
    from autoloss.records.diagnosis import Diagnosis

# Rows of the table of classes in a terminal; the page has more.
_CLASSES = 12


def diagnose(
    model: str | None,
    data: str | None,
    *,
    logits: Path | None,
    loss: str | None,
    seed: int,
    losses: Sequence[Path],
    network: str | None = None,
    features: str | None = None,
    ood: str | None = None,
) -> Diagnosis:
    """Return the diagnosis of a model on rows, or of saved predictions.

    Args:
        model: The model; None if saved predictions take its place.
        data: The rows.
        logits: The file of saved predictions.
        loss: The loss whose gradient is shown.
        seed: Seed of folds, bootstrap and drawn outcomes.
        losses: Files that declare the custom losses.
        network: The custom network, as FILE.py:NAME, if it trained the model.
        features: The custom function of the features, as FILE.py:NAME, if the model has one.
        ood: Out-of-distribution (OOD) rows for a model, or a file of saved predictions beside
            `logits`.

    Raises:
        InputError: If a file is missing or wrong.
    """
    if (logits is None) == (model is None) or (model is None) != (data is None):
        raise typer.BadParameter("give MODEL and DATA, or --logits FILE")
    for name, own in (("--model", network), ("--features", features)):
        if own is not None and logits is not None:
            raise typer.BadParameter(f"{name} goes with MODEL and DATA, not with --logits FILE")
    if logits is not None:
        from autoloss.diagnosis.files import read_scores, read_strangers
        from autoloss.diagnosis.run import diagnosed
        from autoloss.losses import load_losses

        for file in losses:
            load_losses(file)
        scores = read_scores(logits)
        strange = None if ood is None else read_strangers(Path(ood), scores.kind)
        shown = loss or "cross_entropy"
        return diagnosed(scores, shown, name=logits.stem, strange=strange, seed=seed)
    from autoloss import api
    from autoloss.diagnosis.model import diagnose_model

    assert model is not None
    assert data is not None
    folder = model_folder(model)
    classifier = api.load(folder, losses=tuple(losses), model=network, features=features)
    return diagnose_model(classifier, data, loss=loss, ood=ood, name=_name(model), seed=seed)


def page_path(output: Path | None, *, model: str | None, logits: Path | None) -> Path:
    """Return the path of the page.

    Raises:
        InputError: If no page can be written there.
    """
    if output is None:
        name = logits.stem if logits is not None else _name(model or "model")
        return OUT / f"{name}-diagnosis.html"
    if output.suffix.lower() not in (".html", ".htm") or output.is_dir():
        raise InputError(f"--output must be an .html file, but got FILE={str(output)!r}.")
    if not output.parent.is_dir():
        raise InputError(
            f"--output must lie in a folder that exists, but got FILE={str(output)!r}."
        )
    return output


def write_page(found: Diagnosis, page: Path) -> None:
    """Write the page, complete or not at all.

    Raises:
        InputError: If it cannot be written.
    """
    from autoloss.core.files import write_whole
    from autoloss.report import render_diagnosis

    text = render_diagnosis(found)
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_whole(page, text)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"The page must be writable, but got FILE={str(page)!r}: {reason}."
        ) from error


def show(console: Console, found: Diagnosis) -> None:
    """Print the findings and the tables behind them."""
    from autoloss.report import diagnosis_words as words

    def written(text: str) -> str:
        return spelt(text, console.encoding)

    console.print(Text(written(words.headline(found)), style="bold"))
    console.print(
        written(
            f"{found.name}: {found.size_text}, error "
            f"{100 * found.error:.1f}%, log loss {found.log_loss:.4f} nats; "
            f"{words.KINDS[found.kind]}"
        )
    )
    console.print()
    show_pairs(console, [(one.subject, written(one.text)) for one in words.findings(found)])
    for title, header, rows in _tables(found):
        console.print()
        console.print(Text(written(title), style="bold"))
        show_table(console, header, [[written(cell) for cell in row] for row in rows])
    for note in found.notes:
        console.print(written(f"Note: {note}"))


def _tables(found: Diagnosis) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """Yield title, header and rows of each table."""
    from autoloss.report import diagnosis_words as words
    from autoloss.report import ood, surface

    yield (
        "Calibration of the predicted class",
        ("error", "value", "if calibrated", "95% up to", "p"),
        words.calibration_rows(found),
    )
    yield (
        "Read-outs, cross-fitted (* the recommended read-out)",
        ("read-out", "temperature", "log loss", "gain", "95% interval"),
        words.readout_rows(found),
    )
    losses = [words.loss_words(one) for one in found.signal.losses]
    yield (
        "Share of the gradient by p of the true class",
        ("p", "rows", "share", *losses),
        words.tenth_rows(found),
    )
    shown = len(words.chosen_classes(found, _CLASSES))
    more = f", {shown} of {len(found.class_rows)}" if shown < len(found.class_rows) else ""
    yield (
        f"{'Labels' if found.labels else 'Classes'}{more}: shares, mean probabilities, gradient",
        ("label" if found.labels else "class", "rows", "share", "mean p", *losses),
        [(*row[:4], *row[6:]) for row in words.class_rows(found, most=_CLASSES)],
    )
    yield (
        "Wrong rows: gradient in units of cross-entropy's",
        ("loss", "dead zone", "median"),
        words.signal_rows(found),
    )
    if found.surface is not None:
        yield (
            "Curvature of the losses around the network, along directions of length 1",
            surface.HEADS,
            surface.slice_rows(found.surface),
        )
    if found.strangers is not None:
        yield (
            "OOD rows: how well a score separates them from these rows (95% interval)",
            ood.HEADS,
            ood.score_rows(found.strangers.scores),
        )
    if found.suspects.worst:
        yield (
            "Labels that the model contradicts most",
            ("row", "label", "model", "p of label", "p of model's"),
            words.suspect_rows(found)[:5],
        )


def _name(model: str) -> str:
    """Return the study's name for the name or folder of a model."""
    folder = Path(model).expanduser().resolve()
    return folder.parent.name if folder.name == "model" else folder.name
