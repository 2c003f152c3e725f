"""Made-up summaries that look like real studies: the same arguments give the same summary."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

from autoloss.records import (
    Comparison,
    CurvePoint,
    DataSummary,
    Decision,
    Edge,
    Finalist,
    Gain,
    Optimism,
    Reference,
    Reliability,
    Resampling,
    Summary,
    Tails,
    TopShare,
    TrialRecord,
    Verdict,
)
from autoloss.records.insights import (
    ClassScores,
    ConfusedPair,
    Confusion,
    CostCurve,
    Disagreement,
    Disagreements,
    Ranking,
    RankingCurves,
    SignalCurve,
    Signals,
    Threshold,
)
from autoloss.report.words import capital, label_words

FAMILIES: dict[str, dict[str, Any]] = {
    "cross_entropy": {},
    "focal": {"gamma": (0.0, 5.0)},
    "brier": {},
    "generalized_cross_entropy": {"q": (0.05, 1.0)},
    "poly1": {"epsilon": (-1.0, 6.0)},
    "power": {"beta": (1.2, 3.0)},
    "sm_softmax": {"m": (0.0, 1.0)},
    "weston_watkins": {"p": [1, 2]},
    "crammer_singer": {},
    "bi_tempered": {"t1": (0.3, 1.0), "t2": (1.0, 3.0)},
}
HOSTILE = "<script>alert('x')</script> | </td>\n\"&amp; `*_[a](javascript:1) \u2028 ${1} {{ 7*7 }}"
_PENALTY = {"crammer_singer": 0.05, "weston_watkins": 0.03, "generalized_cross_entropy": 0.02}


def make_summary(
    *,
    n_trials: int = 64,
    families: Sequence[str] = tuple(FAMILIES),
    classes: Sequence[str] = ("stayed", "churned"),
    decision: Decision = "no_evidence",
    metric: str = "error",
    diverged: int = 3,
    reliability: bool = True,
    importance: bool = True,
    name: str = "churn",
    seed: int = 0,
) -> Summary:
    """Return a made-up study with `n_trials` trials, tuned cross-entropy always among them."""
    chance = random.Random(seed)
    trials = [_trial(n, families[n % len(families)], metric, chance) for n in range(n_trials)]
    for number in range(n_trials - 1, max(0, n_trials - 1 - diverged), -1):
        trials[number] = _diverged(trials[number])
    whole = [trial for trial in trials if trial.metrics]
    lower = metric not in ("average_precision", "auroc", "gain")
    baseline = _best(trial for trial in whole if trial.family == "cross_entropy")
    others = [trial for trial in whole if trial.family != "cross_entropy"]
    challenger = _best(others) if others else baseline
    return Summary(
        schema_version=1,
        name=name,
        created="2026-03-14T15:09:26+00:00",
        version="0.1.0",
        command=f"autoloss search {name}.csv --target churned --trials {n_trials} --seed {seed}",
        metric=metric,
        lower_is_better=lower,
        data=_data(name, classes),
        settings={
            "space": "default",
            "seed": seed,
            "network": {"width": 256, "depth": 2},
            "batch_size": 256,
            "time_limit": None,
            "device": "cpu",
        },
        trials=tuple(trials),
        pareto=_front(whole, metric, lower),
        verdict=_verdict(decision, challenger, baseline, metric, lower),
        recommended=(challenger if decision == "better" else baseline).number,
        rule="The lowest log loss after calibration among the trials within one standard error "
        "of the lowest validation error; ties go to the simpler loss.",
        test_metrics={"challenger": challenger.metrics, "cross-entropy": baseline.metrics},
        reliability=_reliability(chance) if reliability else (),
        importance=_importance() if importance else (),
        seconds={"total": 83.4, "training": 76.2, "outside": 7.2},
    )


def make_honest_summary(
    *,
    n_finalists: int = 6,
    nested: bool = False,
    far_ahead: bool = False,
    unknown: bool = False,
    **options: Any,
) -> Summary:
    """Return a made-up study with all that speaks for and against its verdict.

    Args:
        n_finalists: Finalists, tuned and default cross-entropy among them.
        nested: Whether a nested cross-validation stands in the place of locked test rows.
        far_ahead: Whether the reference model is far ahead.
        unknown: Whether every interval and every probability is NaN.
        options: Those of `make_summary`.
    """
    summary = make_summary(**options)
    chance = random.Random(1)
    rules = {
        "error": [summary.recommended, "The lowest validation error."],
        "knee": [summary.pareto[0], "The trial at the knee of the front."],
    }
    honest = _replace(
        summary,
        settings=summary.settings | {"rules": rules},
        resampling=Resampling(
            kind="cross_validation" if nested else "repeated_holdout",
            folds=5 if nested else 2,
            verdict="nested" if nested else "locked",
            outer=10 if nested else 0,
            replicates=5,
            text="Candidates were compared on two divisions of 75 to 25; finalists were trained "
            "5 times on fresh seeds and divisions.",
        ),
        finalists=_finalists(summary, n_finalists, chance),
        gains=_gains(summary),
        optimism=Optimism(64, 0.1803, 0.1871, 0.4127, 0.4189),
        reference=_reference(far_ahead),
        edges=(
            Edge("focal", "focal.gamma", 4.97, "high", 0.0, 5.0, False),
            Edge("generalized_cross_entropy", "lr", 0.0301, "low", 0.03, 0.3, True),
        ),
        looks=2,
        cost_matrix=((0.0, 1.0), (12.5, 0.0)),
        tails=_tails(),
        **_insights(summary),
    )
    return _unknown(honest) if unknown else honest


def make_hostile_summary() -> Summary:
    """Return a study whose names try to leave the text they stand in."""
    summary = make_honest_summary(
        n_trials=12, classes=(HOSTILE, "b|c", "</script>"), name="x';y", far_ahead=True
    )
    notes = (f"Column {HOSTILE} was dropped.",)
    columns = ((HOSTILE, "numeric"), ("a|b", "text"), ("__init__", "numeric"))
    data = _replace(summary.data, source=HOSTILE, target=HOSTILE, notes=notes, columns=columns)
    trials = tuple(
        _replace(trial, loss={"base": HOSTILE, f"{HOSTILE}.a|b": 1.0}) if number == 4 else trial
        for number, trial in enumerate(summary.trials)
    )
    verdict = _replace(summary.verdict, text=HOSTILE)
    diagrams = tuple(_replace(one, name=HOSTILE) for one in summary.reliability)
    return _replace(
        summary,
        data=data,
        trials=trials,
        verdict=verdict,
        reliability=diagrams,
        settings={HOSTILE: HOSTILE, "rules": {HOSTILE: [4, HOSTILE]}},
        resampling=_replace(summary.resampling, text=HOSTILE),
        finalists=tuple(_replace(one, reasons=(HOSTILE, HOSTILE)) for one in summary.finalists),
        gains=tuple(_replace(one, step=HOSTILE, detail=HOSTILE) for one in summary.gains),
        reference=_replace(summary.reference, name=HOSTILE, text=HOSTILE),
        disagreements=_replace(summary.disagreements, table=HOSTILE),
        confusion=_replace(summary.confusion, decision=HOSTILE),
        threshold=_replace(summary.threshold, metric=HOSTILE),
        positive_reliability=diagrams,
        edges=tuple(_replace(one, family=HOSTILE, key=HOSTILE) for one in summary.edges),
        cost_matrix=((0.0, 1.0, 2.0), (1.0, 0.0, 2.0), (1.0, 2.0, 0.0)),
        command=f"autoloss search {HOSTILE}",
        importance=((HOSTILE, 0.6), ("lr", 0.4)),
        test_metrics={HOSTILE: {"error": 0.1, HOSTILE: 0.2}},
    )


def _replace(record: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(record, **changes)


def _finalists(summary: Summary, count: int, chance: random.Random) -> tuple[Finalist, ...]:
    baseline, challenger = summary.verdict.baseline, summary.verdict.challenger
    others = [t.number for t in summary.trials if t.metrics and t.number != baseline]
    others.sort(key=lambda number: (number != challenger, number))
    numbers = [baseline, *others][:count]
    noise = [chance.gauss(0, 0.004) for _ in range(5)]
    sign = 1.0 if summary.lower_is_better else -1.0
    found = []
    for place, number in enumerate(numbers):
        metrics = summary.trial(number).metrics
        family = summary.trial(number).family
        is_default = place == len(numbers) - 1 > 1
        shift = sign * (0.03 if is_default else 0.0021 * (place - 2) if place else 0.0)
        reason = f"best of {family}" if place > 1 else f"lowest {summary.metric}"
        reasons = (reason,) if place else ("tuned cross-entropy", "best of cross_entropy")
        middle = summary.trial(baseline).metrics[summary.metric] + shift
        found.append(
            Finalist(
                number=number,
                reasons=("default cross-entropy",) if is_default else reasons,
                metric=tuple(middle + e + chance.gauss(0, 0.002) for e in noise),
                log_loss=tuple(metrics["log_loss"] + e + chance.gauss(0, 0.002) for e in noise),
                difference=shift,
                low=shift - 0.0034,
                high=shift + 0.0033,
                is_admissible=place < 4,
                chance_best=math.nan if is_default else 0.41 / (1 + place),
            )
        )
    return tuple(found)


def _gains(summary: Summary) -> tuple[Gain, ...]:
    sign = 1.0 if summary.lower_is_better else -1.0
    steps = (
        ("default cross-entropy", "settings of the literature", 0.0, 0.0),
        ("tuned", "learning rate, weight decay, dropout", -0.0123, -0.0212),
        ("temperature", "one temperature on the logits", 0.0, -0.0058),
        ("threshold", "the decision moved", -0.0004, 0.0),
        ("another loss", "in place of cross-entropy", -0.0031, -0.0027),
    )
    metric, log_loss = 0.2011, 0.4521
    found = []
    for place, (step, detail, one, two) in enumerate(steps):
        one *= sign
        metric, log_loss = metric + one, log_loss + two
        changes = (one, one - 0.0035, one + 0.0036, two, two - 0.004, two + 0.003)
        found.append(Gain(step, detail, metric, log_loss, *(changes if place else ())))
    return tuple(found)


def _reference(far_ahead: bool) -> Reference:
    text = (
        "It is far ahead: the network is the problem here, not the loss."
        if far_ahead
        else "It is no better than the shipped model."
    )
    shift = -0.0512 if far_ahead else 0.0023
    return Reference(
        "gradient boosting", 0.1856 + shift, 0.4077, shift, shift - 0.01, shift + 0.01,
        far_ahead, text,
    )  # fmt: skip


def _tails() -> Tails:
    odds = [-8.0 + place for place in range(9)]
    said = [1 / (1 + math.exp(-value)) for value in odds]
    count = [5000 // (1 + place * place) for place in range(9)]
    was = [0.0, *(min(1.0, 1.3 * value) for value in said[1:])]
    spread = [2 * math.sqrt(p * (1 - p) / n) for p, n in zip(said, count, strict=True)]
    bins = Reliability(
        "what ships",
        tuple(said),
        tuple(was),
        tuple(count),
        tuple(max(0.0, p - s) for p, s in zip(said, spread, strict=True)),
        tuple(min(1.0, p + s) for p, s in zip(said, spread, strict=True)),
    )
    top = (
        TopShare(0.001, 8, 6.21, 7, 0.0636),
        TopShare(0.01, 78, 40.77, 43, 0.3909),
        TopShare(0.1, 777, 81.3, 79, 0.7182),
    )
    return Tails(0.0142, bins, top)


def _insights(summary: Summary) -> dict[str, Any]:
    """Return the decisions of both models and the gradients of some losses."""
    span = range(len(summary.data.classes))
    matrix = tuple(tuple(600 if row == column else 7 + row for column in span) for row in span)
    odds = [-9.0 + 18.0 * place / 64 for place in range(65)]
    probs = tuple(1 / (1 + math.exp(-value)) for value in odds)
    other = (span[-1] + 1) // 2
    numbers = list(dict.fromkeys((summary.verdict.challenger, summary.verdict.baseline)))
    curves = [
        SignalCurve(number, tuple(1.0 - place * 2 * p for p in probs), 0.1 * place, 0.4)
        for place, number in enumerate(numbers)
    ]
    return {
        "confusion": Confusion("expected_cost", matrix, matrix, (ConfusedPair(0, other, 7, 8),)),
        "disagreements": Disagreements(
            1409,
            12,
            9,
            1,
            examples=(
                Disagreement(1021, 0, 0, other, 0.91, 0.44),
                Disagreement(7, other, 0, other, 0.0001, 0.99999),
            ),
        ),
        **_by_class(summary),
        "threshold": Threshold(
            "expected_cost",
            0.074,
            0.31,
            0.52,
            tuple((place + 1) / 50 for place in range(49)),
            tuple(0.3 + (place / 50 - 0.074) ** 2 for place in range(49)),
        ),
        "signals": Signals(
            numbers[0],
            probs,
            tuple(place / 25 for place in range(26)),
            tuple(10 + place * place for place in range(25)),
            tuple(curves),
        ),
    }


def _by_class(summary: Summary) -> dict[str, Any]:
    """Return recall and precision by class, and the curves of two classes."""
    n = len(summary.data.classes)
    rows, right = (
        tuple(700 - place for place in range(n)),
        tuple(600 - place for place in range(n)),
    )
    decided = tuple(650 + place for place in range(n))
    steps = [place / 100 for place in range(101)]
    curves = [
        RankingCurves(
            area,
            area - 0.1,
            tuple(step**power for step in steps),
            tuple(steps),
            tuple(steps),
            tuple(1.0 - 0.5 * step**3 for step in steps),
        )
        for area, power in ((0.871, 3.0), (0.866, 2.5))
    ]
    cost = [0.3 + step * (1 - step) for step in steps]
    binary = {
        "ranking": Ranking(404, 1005, *curves),
        "positive_reliability": _reliability(random.Random(2))[:2],
    }
    over = {
        "over": "cost_share" if n == 2 else "reviewed",
        "single": tuple(2.0 * min(step, 1 - step) for step in steps) if n == 2 else (),
        "given": 0.074 if n == 2 else math.nan,
    }
    return {
        "class_scores": ClassScores(rows, right, decided, right, rows),
        "cost_curve": CostCurve(
            at=tuple(steps), challenger=tuple(cost), baseline=tuple(v + 0.01 for v in cost), **over
        ),
        **(binary if n == 2 else {}),
    }


def _unknown(summary: Summary) -> Summary:
    nan = math.nan
    none = {"low": nan, "high": nan, "difference": nan}
    changes = dict.fromkeys(
        [f"{name}_{end}" for name in ("metric", "log_loss") for end in ("change", "low", "high")],
        nan,
    )
    return _replace(
        summary,
        finalists=tuple(
            _replace(one, metric=(nan,) * 5, log_loss=(), chance_best=nan, reasons=(), **none)
            for one in summary.finalists
        ),
        gains=tuple(_replace(one, **changes, detail="") for one in summary.gains),
        optimism=Optimism(0, nan, nan, nan, nan),
        reference=Reference("", nan, nan, nan, nan, nan, False, ""),
        tails=Tails(nan, Reliability("", (nan,), (nan,), (0,), (nan,), (nan,)), ()),
        cost_matrix=((nan, nan), (nan, nan)),
        confusion=Confusion("error", None, None),
        disagreements=Disagreements(0, 0, 0, 0, examples=(Disagreement(0, 9, 9, 8, nan, nan),)),
        threshold=Threshold("expected_cost", nan, nan, nan),
        class_scores=ClassScores((0, 0), (0, 0), (0, 0), (0, 0), (0, 0)),
        ranking=Ranking(0, 0, *[RankingCurves(nan, nan, (), (), (), ())] * 2),
        positive_reliability=(Reliability("", (nan,), (nan,), (0,), (nan,), (nan,)),),
        cost_curve=CostCurve("cost_share", (), (), ()),
        signals=Signals(
            99, (0.1, 0.9), (0.0, 1.0), (0,), (SignalCurve(99, (nan, nan), nan, nan),)
        ),
        verdict=_replace(summary.verdict, detectable=nan),
    )


def _best(trials: Any) -> TrialRecord:
    return min(trials, key=lambda trial: trial.metrics["refined_log_loss"])


def _trial(number: int, family: str, metric: str, chance: random.Random) -> TrialRecord:
    loss: dict[str, Any] = {"base": family}
    for key, values in FAMILIES[family].items():
        # A list names the choices, a tuple the ends of a range.
        drawn = chance.choice(values) if isinstance(values, list) else chance.uniform(*values)
        loss[f"{family}.{key}"] = drawn
    if number >= len(FAMILIES) and chance.random() < 0.3:
        loss |= {"prior": "logit_adjust", "logit_adjust.tau": chance.uniform(0.2, 1.4)}
    if number >= len(FAMILIES) and chance.random() < 0.3:
        loss |= {"target": "smoothing", "smoothing.epsilon": chance.uniform(0.01, 0.2)}
    lr = 10 ** chance.uniform(-4, -1.8)
    badness = 0.02 * abs(math.log10(lr) + 2.7) ** 2 + _PENALTY.get(family, 0.0)
    refined = 0.412 + badness + abs(chance.gauss(0, 0.008))
    error = 0.19 + 0.4 * (refined - 0.412) + chance.gauss(0, 0.003)
    metrics = {
        "error": error,
        "balanced_error": error + 0.07,
        "refined_log_loss": refined,
        "log_loss": refined,
        "raw_log_loss": refined + abs(chance.gauss(0.01, 0.02)),
        "calibration_loss": abs(chance.gauss(0.01, 0.02)),
        "brier": 0.26 + badness,
        "debiased_calibration_error": chance.gauss(0.0002, 0.0002),
        "ece": 0.02 + abs(chance.gauss(0, 0.01)),
        "ece_null": 0.017,
        "temperature": math.exp(chance.gauss(0, 0.3)),
    }
    if metric not in metrics:
        metrics[metric] = 0.66 - badness + chance.gauss(0, 0.004)
    epochs = chance.randint(14, 40)
    return TrialRecord(
        number=number,
        state="complete" if chance.random() < 0.8 else "stopped",
        loss=loss,
        nuisance={"lr": lr, "weight_decay": 10 ** chance.uniform(-5, -1), "dropout": 0.1},
        metrics=metrics,
        readout=chance.choice(("softmax+temperature", "softmax", "link+temperature")),
        curve=_curve(epochs, refined, error, chance),
        seconds=chance.uniform(0.8, 1.6),
        started=1773500000.0 + number,
        ended=1773500001.5 + number,
        origin="default" if number < len(FAMILIES) else "quota" if number < 40 else "sampler",
    )


def _curve(
    epochs: int, refined: float, error: float, chance: random.Random
) -> tuple[CurvePoint, ...]:
    shown = sorted({1 + (epochs - 1) * place // 19 for place in range(20)})
    return tuple(
        CurvePoint(
            epoch,
            refined + 0.25 * math.exp(-epoch / 4) + 0.002 * chance.random(),
            error + 0.12 * math.exp(-epoch / 5) + 0.002 * chance.random(),
        )
        for epoch in shown
    )


def _diverged(trial: TrialRecord) -> TrialRecord:
    curve = (*trial.curve[:2], CurvePoint(9, math.nan, math.nan))
    return _replace(trial, state="diverged", metrics={}, curve=curve)


def _front(trials: list[TrialRecord], metric: str, lower: bool) -> tuple[int, ...]:
    sign = 1 if lower else -1
    front, best = [], math.inf
    for trial in sorted(trials, key=lambda one: (sign * one.metrics[metric], one.number)):
        if trial.metrics["refined_log_loss"] < best:
            best = trial.metrics["refined_log_loss"]
            front.append(trial.number)
    return tuple(sorted(front))


def _data(name: str, classes: Sequence[str]) -> DataSummary:
    counts = tuple(3104 // (1 + place) for place in range(len(classes)))
    return DataSummary(
        source=f"{name}.csv",
        target="churned",
        task="binary" if len(classes) == 2 else "multiclass",
        classes=tuple(classes),
        class_counts=counts,
        n_train=sum(counts),
        n_valid=sum(counts) // 3,
        n_test=1409,
        columns=(
            ("tenure", "numeric"),
            ("MonthlyCharges", "numeric"),
            ("Contract", "categorical"),
            ("signed", "date"),
            ("note", "text"),
        ),
        notes=(
            "Column customerID was dropped: it has a different value in every row.",
            "Column TotalCharges has 11 missing values.",
        ),
    )


def _verdict(
    decision: Decision, challenger: TrialRecord, baseline: TrialRecord, metric: str, lower: bool
) -> Verdict:
    shift = {"better": -1.0, "worse": 1.0}.get(decision, -0.1)
    names = dict.fromkeys(
        (metric, "log_loss", "debiased_calibration_error", "error", "balanced_error", "brier")
    )
    found = []
    for name in list(names)[:6] if challenger is not baseline else ():
        size = {"debiased_calibration_error": 0.0004}.get(name, 0.008)
        sign = 1.0 if lower or name != metric else -1.0
        value = baseline.metrics[name]
        middle = sign * shift * size * (0.4 if name == "balanced_error" else 1.0)
        low, high = middle - 0.8 * size, middle + 0.7 * size
        found.append(Comparison(name, value, value + middle, low, high, sign > 0))
    words = {
        "better": "it beats tuned cross-entropy, significantly in error and log loss.",
        "no_evidence": "no evidence that it beats tuned cross-entropy (interval covers zero). "
        "Tuned cross-entropy is recommended.",
        "worse": "it is worse than tuned cross-entropy, significantly in error. "
        "Tuned cross-entropy is recommended.",
        "undecided": "too little was trained.",
    }
    side = "more" if shift > 0 else "less"
    name = capital(label_words(challenger.label))
    return Verdict(
        decision=decision,
        text=f"{name} has {abs(shift) * 0.8:.2f} pp {side} error than tuned "
        f"cross-entropy (95% interval {80 * shift / 100 - 0.64:+.2f} to "
        f"{80 * shift / 100 + 0.56:+.2f} pp) on 1,409 test rows: {words[decision]}",
        comparisons=tuple(found),
        n_test=1409,
        challenger=challenger.number,
        baseline=baseline.number,
        detectable=0.0091,
        primary="error",
        chance=0.31,
    )


def _reliability(chance: random.Random) -> tuple[Reliability, ...]:
    diagrams = []
    names = {"challenger": 0.0, "cross-entropy": 0.0, "cross-entropy before read-out": 0.06}
    for name, over in names.items():
        confidence = [0.52 + 0.034 * place for place in range(15)]
        spread = [1.96 * math.sqrt(c * (1 - c) / 94) for c in confidence]
        accuracy = [
            min(1.0, max(0.0, c - over * (c - 0.4) * 2 + chance.gauss(0, s / 2)))
            for c, s in zip(confidence, spread, strict=True)
        ]
        diagrams.append(
            Reliability(
                name=name,
                confidence=tuple(confidence),
                accuracy=tuple(accuracy),
                count=(94,) * 14 + (93,),
                low=tuple(c - s for c, s in zip(confidence, spread, strict=True)),
                high=tuple(min(1.0, c + s) for c, s in zip(confidence, spread, strict=True)),
                histogram=tuple(place * place for place in range(40)),
            )
        )
    return tuple(diagrams)


def _importance() -> tuple[tuple[str, float], ...]:
    return (
        ("nuisance.lr", 0.58),
        ("loss.base", 0.21),
        ("nuisance.dropout", 0.08),
        ("loss.logit_adjust.tau", 0.06),
        ("nuisance.weight_decay", 0.04),
        ("loss.smoothing.epsilon", 0.03),
    )
