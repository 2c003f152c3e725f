"""The result of a search: the verdict, the recommended loss, and every trial as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from autoloss.core.display import Card, Shown
from autoloss.records import REFINED_LOG_LOSS, Finalist, Gain, Summary, TrialRecord, Verdict
from autoloss.report.gains import detail_text
from autoloss.verdict.rules import CALIBRATION, select_trial

if TYPE_CHECKING:
    from autoloss.inference.classifier import Classifier
    from autoloss.losses import LossSpec
    from autoloss.readout import Readout


@dataclass(frozen=True, eq=False, repr=False)
class SearchResult(Shown):
    """A finished search.

    Args:
        summary: The study as plain data.
        model: The trained classifier that ships: of the recommended loss, or a blend of several;
            None if a custom training loop trained the networks and keeps them.
        unwritten: One line on the runs that MLflow lacks, with the reason; empty if it has all.
    """

    summary: Summary
    model: Classifier | None = None
    unwritten: str = ""

    @property
    def verdict(self) -> Verdict:
        """Return whether the challenger beats tuned cross-entropy, and the figures behind it."""
        return self.summary.verdict

    @property
    def recommended(self) -> LossSpec:
        """Return the loss of the verdict: the challenger if it is "better", else cross-entropy."""
        return self.select(by=self.summary.recommended)

    @property
    def winner(self) -> LossSpec:
        """Return `recommended`."""
        return self.recommended

    @property
    def challenger(self) -> LossSpec:
        """Return the best loss that is not plain cross-entropy."""
        return self.select(by=self.verdict.challenger)

    @property
    def trials(self) -> pd.DataFrame:
        """Return a row for each trial: ``loss.*``, ``nuisance.*``, metrics, state, seconds."""
        return trials_table(self.summary.trials)

    @property
    def pareto(self) -> pd.DataFrame:
        """Return the trials on the front of (metric, refined log loss), the best metric first."""
        on_front = [self.summary.trial(number) for number in self.summary.pareto]
        sign = 1.0 if self.summary.lower_is_better else -1.0
        on_front.sort(key=lambda trial: sign * trial.metrics[self.summary.metric])
        return trials_table(on_front)

    @property
    def gains(self) -> pd.DataFrame:
        """Return a row for each step of the gain, with the fields of `records.Gain`."""
        classes = self.summary.data.classes
        steps = [
            asdict(gain) | {"detail": detail_text(gain.detail, classes)}
            for gain in self.summary.gains
        ]
        return pd.DataFrame(steps, columns=[field.name for field in fields(Gain)])

    @property
    def finalists(self) -> pd.DataFrame:
        """Return a row for each finalist.

        The columns are the fields of `records.Finalist` with ``loss``, its readable name, and with
        the means of ``metric`` and ``log_loss`` over the training runs; each of them is in
        ``summary.finalists``.
        """
        names = [field.name for field in fields(Finalist)]
        rows = [
            asdict(one)
            | {
                "loss": self.summary.trial(one.number).label,
                "reasons": ", ".join(one.reasons),
                "metric": _mean(one.metric),
                "log_loss": _mean(one.log_loss),
            }
            for one in self.summary.finalists
        ]
        return pd.DataFrame(rows, columns=[names[0], "loss", *names[1:]])

    def select(self, by: str | int = "log_loss") -> LossSpec:
        """Return the loss that another rule names, from the validation rows alone.

        Its `source` has the learning rate, weight decay and read-out of its trial.

        Args:
            by: ``"error"``, ``"log_loss"`` (after calibration), ``"balanced_error"``, ``"cost"``
                (of the study's cost matrix) or the study's metric: the best value.
                ``"calibration"``: the lowest calibration error *on the front*; among all trials a
                model that always predicts the priors would win. ``"knee"``: the trial of the front
                farthest below the line between its ends. Or the number of a trial. Each rule is a
                sentence of `autoloss.verdict.rules.RULES`.

        Raises:
            InputError: If there is no such rule or trial.
        """
        from autoloss.losses import LossSpec
        from autoloss.losses.tuned import Tuned, as_counts

        trial = select_trial(self.summary, by)
        data = self.summary.data
        tuned = Tuned(
            lr=trial.nuisance["lr"],
            weight_decay=trial.nuisance.get("weight_decay"),
            dropout=trial.nuisance.get("dropout"),
            readout=cast("Any", trial.readout.partition("+")[0]),
            inverse_temperature=1.0 / trial.metrics.get("temperature", 1.0),
            class_counts=as_counts(
                [(one.negatives, one.positives) for one in data.labels] or data.class_counts
            ),
            class_weights=data.label_weights or data.class_weights,
            class_similarity=data.class_similarity,
        )
        if self.model is not None and trial.number == self.summary.recommended:
            # Fitted again, to the shipped weights.
            # A blend has members of other losses too, or none of this loss.
            readouts = [member.readout for member in self.model.members]
            if same := [one for one in readouts if one.spec == LossSpec.from_dict(trial.loss)]:
                own = _typical(same)
                tuned = replace(
                    tuned,
                    readout=own.source,
                    inverse_temperature=own.inverse_temperature,
                    mix=own.mix,
                )
        return replace(LossSpec.from_dict(trial.loss), tuned=tuned)

    def report(self, folder: str | Path) -> tuple[Path, ...]:
        """Write report.html, report.md, summary.json and trials.csv; return their paths."""
        from autoloss.report import write_report

        return write_report(self.summary, Path(folder))

    def _card(self) -> Card:
        summary = self.summary
        model = "in .model" if self.model is not None else "none: it was trained elsewhere"
        pairs = (
            ("verdict", f"{self.verdict.decision}: {self.verdict.text}"),
            (
                "recommended",
                f"{summary.trial(summary.recommended).label} (trial {summary.recommended})",
            ),
            ("model", model),
        )
        return Card(f"SearchResult {summary.name!r}, {len(summary.trials)} trials", pairs)


def trials_table(trials: Sequence[TrialRecord]) -> pd.DataFrame:
    """Return a row for each trial; a value that a trial does not have is missing.

    Columns: ``number``, ``state``, ``loss.*``, ``nuisance.*``, the metrics by their names,
    ``readout``, ``seconds`` and ``origin``.
    """
    loss = dict.fromkeys(f"loss.{key}" for trial in trials for key in trial.loss)
    nuisance = dict.fromkeys(f"nuisance.{key}" for trial in trials for key in trial.nuisance)
    metrics = dict.fromkeys(key for trial in trials for key in trial.metrics)
    ends = ("readout", "seconds", "origin")
    rows = [
        {f"loss.{key}": value for key, value in trial.loss.items()}
        | {f"nuisance.{key}": value for key, value in trial.nuisance.items()}
        | trial.metrics
        | {key: getattr(trial, key) for key in ("number", "state", *ends)}
        for trial in trials
    ]
    return pd.DataFrame(rows, columns=["number", "state", *loss, *nuisance, *metrics, *ends])


def leaderboard(summary: Summary, *, n: int = 10) -> pd.DataFrame:
    """Return the best trials by refined log loss as a table for people.

    Columns: ``rank``, ``number``, ``loss`` (its readable name), the study's metric,
    ``refined_log_loss``, ``debiased_calibration_error``, ``readout`` and ``role``: challenger,
    tuned cross-entropy, recommended or on the front. The challenger and tuned cross-entropy are
    always included, whatever their rank.

    Args:
        summary: The study.
        n: The most rows, besides these two.
    """
    done = [trial for trial in summary.trials if math.isfinite(_figure(trial, REFINED_LOG_LOSS))]
    done.sort(key=lambda trial: (trial.metrics[REFINED_LOG_LOSS], trial.number))
    always = {summary.verdict.challenger, summary.verdict.baseline}
    figures = dict.fromkeys([summary.metric, REFINED_LOG_LOSS, CALIBRATION])
    rows = [
        {
            "rank": rank,
            "number": trial.number,
            "loss": trial.label,
            **{name: _figure(trial, name) for name in figures},
            "readout": trial.readout,
            "role": _role(summary, trial.number),
        }
        for rank, trial in enumerate(done, start=1)
        if rank <= n or trial.number in always
    ]
    return pd.DataFrame(
        rows, columns=["rank", "number", "loss", *figures, "readout", "role"]
    ).set_index("rank")


def _figure(trial: TrialRecord, name: str) -> float:
    return trial.metrics.get(name, math.nan) if trial.state == "complete" else math.nan


def _role(summary: Summary, number: int) -> str:
    roles = {
        "recommended": summary.recommended,
        "challenger": summary.verdict.challenger,
        "tuned cross-entropy": summary.verdict.baseline,
    }
    words = [role for role, holder in roles.items() if holder == number]
    return ", ".join([*words, *(["front"] if number in summary.pareto else [])])


def _typical(readouts: Sequence[Readout]) -> Readout:
    """Return a typical read-out of several training runs: that of the median temperature.

    Read-outs of different sources have temperatures that cannot be compared, so it is one of the
    most frequent source.
    """
    sources = [one.source for one in readouts]
    commonest = max(dict.fromkeys(sources), key=sources.count)
    same = [one for one in readouts if one.source == commonest]
    return sorted(same, key=lambda one: one.inverse_temperature)[len(same) // 2]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
