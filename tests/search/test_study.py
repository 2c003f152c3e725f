from __future__ import annotations

import json
import time
from collections import Counter

import numpy as np
import pytest
import torch

from autoloss.core.errors import AutolossError, InputError, StudyExistsError, StudyNotFoundError
from autoloss.core.task import Task
from autoloss.losses import LossSpec
from autoloss.search import Study
from autoloss.search.config import StudyConfig
from autoloss.verdict.select import is_plain_cross_entropy
from tests.search.fake_training import COUNTS, LABELS, logits_of, run, settings


def new(out, name="s", **options):
    return Study(name, COUNTS, **{"trials": 24, "space": "quick", "out": out, **options})


def test_the_same_seed_and_budget_give_the_same_trials(tmp_path):
    with (
        new(tmp_path, "a") as one,
        new(tmp_path, "b") as other,
        new(tmp_path, "c", seed=1) as third,
    ):
        for study in (one, other, third):
            run(study)
        assert settings(one) == settings(other)
        assert settings(one) != settings(third)
        assert [t.metrics for t in one.trials] == [t.metrics for t in other.trials]


def test_a_study_asks_its_budget_and_then_is_done(tmp_path):
    with new(tmp_path, trials=11) as study:
        sizes = []
        while not study.done:
            trials = study.ask(4)
            sizes.append(len(trials))
            for trial in trials:
                study.tell(trial, logits_of(trial), LABELS)
        assert sizes == [4, 4, 3]
        assert study.ask(4) == []
        with pytest.raises(AutolossError, match=r"study\.done"):
            study.ask()
        assert [record.state for record in study.trials] == ["complete"] * 11


@pytest.mark.parametrize("trials", [1, 3, 7, 24, 60])
def test_no_family_gets_more_trials_than_plain_cross_entropy(tmp_path, trials):
    with new(tmp_path, trials=trials) as study:
        while not study.done:
            asked = study.ask(8)
            for trial in asked:
                # Focal looks best, so that the sampler wants nothing else.
                better = 3.0 if trial.spec.base == "focal" else 0.5
                study.tell(trial, logits_of(trial) * better, LABELS)
            counts = Counter(
                "plain" if is_plain_cross_entropy(record.loss) else record.family
                for record in study.trials
            )
            others = [n for name, n in counts.items() if name not in ("plain", "cross_entropy")]
            assert counts["plain"] >= max(others, default=1)
        assert len(study.trials) == trials


def test_every_family_gets_its_quota(tmp_path):
    with new(tmp_path, trials=40) as study:
        run(study)
        counts = Counter(record.family for record in study.trials)
        assert all(counts[family] >= study.quota for family in study.families)
        origins = [record.origin for record in study.trials]
        assert origins[0] == "default"
        assert origins[-1] == "sampler"


def test_a_trial_is_a_loss_and_its_settings(tmp_path):
    with new(tmp_path) as study:
        trial = study.ask(8)[5]
        logits = torch.randn(10, 3, requires_grad=True)
        value = trial.loss(logits, LABELS[:10])
        value.backward()
        expected = trial.spec.module(torch.tensor(COUNTS))(logits, LABELS[:10])
        assert torch.equal(value, expected)
        assert logits.grad is not None
        assert dict(trial.nuisance) == {
            "lr": trial.lr,
            "weight_decay": trial.weight_decay,
            "dropout": trial.dropout,
        }
        assert trial.seed == study.seed


def test_records_come_from_the_storage_alone(tmp_path):
    with new(tmp_path) as study:
        run(study, at_most=2)
        study.ask(1)
        written = study.trials
    study = Study.open("s", out=tmp_path)
    assert [r for r in study.trials if r.state == "complete"] == [
        r for r in written if r.state == "complete"
    ]
    record = study.trials[3]
    assert record.started <= record.ended
    assert record.seconds == 1.0
    assert record.readout == study.readout(3).name
    assert record.metrics["refined_log_loss"] > 0
    study.close()


def test_a_diverged_trial_is_recorded_alone_and_the_search_goes_on(tmp_path):
    with new(tmp_path) as study:
        trials = study.ask(8)
        logits = torch.stack([logits_of(trial) for trial in trials])
        alone = [float(r) for r in (logits[2].sum(), logits[3].sum())]
        logits[1, 5, 0] = float("nan")
        logits[4] = float("inf")
        records = study.tell_many(trials, logits, LABELS)
        states = [record.state for record in records]
        assert [k for k, state in enumerate(states) if state == "diverged"] == [1, 4]
        assert records[1].metrics == {}
        assert alone == [float(logits[2].sum()), float(logits[3].sum())]
        study.fail(study.ask(), "failed")
        run(study)
        assert len(study.trials) == 24
        assert study.trials[8].state == "failed"


def test_told_together_equals_told_alone(tmp_path):
    with new(tmp_path, "a") as one, new(tmp_path, "b") as other:
        trials = one.ask(8)
        together = one.tell_many(trials, [logits_of(trial) for trial in trials], LABELS)
        alone = [other.tell(trial, logits_of(trial), LABELS) for trial in other.ask(8)]
        for first, second in zip(together, alone, strict=True):
            assert first.loss == second.loss
            assert first.metrics == pytest.approx(second.metrics, abs=1e-6, nan_ok=True)


def test_arrays_and_half_precision_are_logits_too(tmp_path):
    with new(tmp_path) as study:
        first, second, third = study.ask(3)
        logits = logits_of(first)
        records = [
            study.tell(first, logits.numpy(), LABELS.tolist()),
            study.tell(second, logits.half(), LABELS.numpy()),
            study.tell(third.number, logits.double(), LABELS),
        ]
        raw = [record.metrics["raw_log_loss"] for record in records]
        assert raw == pytest.approx([raw[0]] * 3, abs=1e-2)


def test_curves_are_kept_thinned_and_a_report_says_when_to_stop(tmp_path):
    with new(tmp_path) as study:
        trial = study.ask()
        patience = study.space.training.patience
        noise = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
        hot = torch.nn.functional.one_hot(LABELS, 3)
        # Better until epoch 30, then the same.
        stops = [
            study.report(trial, epoch, noise + min(epoch, 30) / 30 * hot, LABELS)
            for epoch in range(1, 40)
        ]
        assert stops.index(True) + 1 == 30 + patience
        record = study.tell(trial, logits_of(trial), LABELS)
        assert len(record.curve) == 20
        assert (record.curve[0].epoch, record.curve[-1].epoch) == (1, 39)
        assert study.report(study.ask(), 1, torch.full((60, 3), torch.nan), LABELS)


def test_two_objectives_and_a_metric_that_is_better_when_higher(tmp_path):
    labels = torch.arange(60) % 2

    def accuracy(probs, targets):
        return float(np.mean(probs.argmax(1) == targets))

    accuracy.lower_is_better = False
    overrides = {"objectives": ["error", "refined_log_loss"]}
    with Study(
        "s", [30, 30], trials=30, space="quick", overrides=overrides, metric=accuracy, out=tmp_path
    ) as study:
        while not study.done:
            for trial in study.ask(10):
                study.tell(trial, logits_of(trial)[:, :2], labels)
        choice = study.finalists()
        best = max(record.metrics["accuracy"] for record in study.trials)
        assert study.trials[choice.front[0]].metrics["accuracy"] == best
    with pytest.raises(InputError, match="metric must be given"):
        Study.open("s", out=tmp_path)
    with Study.open("s", out=tmp_path, metric=accuracy) as again:
        assert again.finalists() == choice


@pytest.mark.parametrize("metric", ["balanced_error", "auroc", "average_precision"])
def test_a_named_metric_takes_the_place_of_the_error(tmp_path, metric):
    labels = torch.arange(60) % 2
    with Study("s", [90, 30], trials=12, space="quick", metric=metric, out=tmp_path) as study:
        while not study.done:
            for trial in study.ask(6):
                study.tell(trial, logits_of(trial)[:, :2], labels)
        choice = study.finalists()
        assert choice.challenger.number in choice.admissible
        assert is_plain_cross_entropy(choice.baseline.loss)
        kept = study.examples.load([0])[0]
        assert (kept.metric_without is None) == (metric == "balanced_error")


def test_other_validation_rows_are_refused(tmp_path):
    with new(tmp_path) as study:
        first, second = study.ask(2)
        study.tell(first, logits_of(first), LABELS)
        with pytest.raises(InputError, match="same rows in the same order"):
            study.tell(second, logits_of(second), LABELS.flip(0))
        study.tell(second, logits_of(second), LABELS)
        with pytest.raises(InputError, match="number=1, which has ended"):
            study.tell(second, logits_of(second), LABELS)
        with pytest.raises(InputError, match="number=99"):
            study.tell(99, logits_of(second), LABELS)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(60, 2), LABELS, r"val_logits must have the shape \(1, N, 3\)"),
        (torch.zeros(60, 3), LABELS[:9], "one class per row"),
        (torch.zeros(60, 3), LABELS + 1, "classes 0 to 2"),
        (torch.zeros(60, 3), LABELS + 0.5, "classes 0 to 2"),
    ],
)
def test_unsuitable_logits_or_labels_are_refused_and_the_trial_stays(
    tmp_path, logits, labels, message
):
    with new(tmp_path) as study:
        trial = study.ask()
        with pytest.raises(InputError, match=message):
            study.tell(trial, logits, labels)
        assert study.trials[0].state == "running"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a/b"}, "A study's name"),
        ({"class_counts": [3]}, "class_counts must be"),
        ({"class_counts": [0, 0]}, "class_counts must be"),
        ({"trials": 0}, "trials must be at least 1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"space": "quik"}, "did you mean 'quick'"),
        ({"metric": "eror"}, "did you mean 'error'"),
        ({"metric": "auroc"}, "two classes"),
        ({"storage": "nonsense"}, "storage must be the URL"),
        ({"storage": "sqlite:////nowhere/at/all.db"}, "storage must be the URL"),
        ({"overrides": {"focal.gama": 1.0}}, "did you mean 'focal.gamma'"),
    ],
)
def test_a_wrong_argument_is_one_error_and_leaves_no_study(tmp_path, options, message):
    wrong = {"name": "s", "class_counts": COUNTS, "space": "quick", "out": tmp_path, **options}
    with pytest.raises(InputError, match=message):
        Study(**wrong)
    with pytest.raises(StudyNotFoundError):
        Study.open("s", out=tmp_path)


def test_a_study_is_not_overwritten(tmp_path):
    with new(tmp_path) as study:
        run(study, at_most=1)
        before = (study.folder / "study.journal").read_bytes()
        with pytest.raises(StudyExistsError, match="autoloss resume s"):
            new(tmp_path)
    assert (tmp_path / "s" / "study.journal").read_bytes()[: len(before)] == before


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="folder of a study must be writable"):
        new(tmp_path / "file")


def test_the_time_limit_ends_the_asking(tmp_path):
    with new(tmp_path, time_limit=0.2) as study:
        trial = study.ask()
        study.tell(trial, logits_of(trial), LABELS)
        time.sleep(0.25)
        assert study.done
        assert study.ask(3) == []
        assert study.left == 23


def test_trials_that_the_time_limit_cut_off_can_be_compared(tmp_path):
    with new(tmp_path) as study:
        trials = study.ask(8)
        logits = [logits_of(trial) for trial in trials]
        records = study.tell_many(trials, logits, LABELS, stopped=[True] * 8)
        assert {record.state for record in records} == {"stopped"}
        choice = study.finalists()
        assert choice.baseline.number == 0
        assert choice.challenger.number != 0


def test_the_settings_are_written_so_that_the_study_can_be_resumed(tmp_path):
    origin = {"command": "autoloss search churn.csv", "target": "churned"}
    with new(tmp_path, fingerprint="abc", origin=origin) as study:
        config = json.loads((study.folder / "study.json").read_text())
    assert config["origin"] == origin
    assert (config["fingerprint"], config["trials"], config["seed"]) == ("abc", 24, 0)
    with Study.open(tmp_path / "s") as again:
        assert again.config == study.config
        assert again.space == study.space


def test_a_callback_receives_every_ended_trial(tmp_path):
    heard = []
    with new(tmp_path, on_told=heard.append) as study:
        run(study)
        assert tuple(sorted(heard, key=lambda record: record.number)) == study.trials


def test_a_loop_of_ones_own_in_ten_lines(tmp_path):
    x = torch.randn(200, 4)
    y = (x[:, 0] + 0.3 * torch.randn(200) > 0).long()
    study = Study("mine", class_counts=[50, 50], trials=6, space="quick", out=tmp_path)
    test_logits = {}
    while not study.done:
        trial = study.ask()
        model = torch.nn.Linear(4, 2)
        optimiser = torch.optim.AdamW(
            model.parameters(), lr=trial.lr, weight_decay=trial.weight_decay
        )
        for _ in range(10):
            optimiser.zero_grad()
            trial.loss(model(x[:100]), y[:100]).backward()
            optimiser.step()
        study.tell(trial, model(x[100:150]), y[100:150])
        test_logits[trial.number] = model(x[150:])
    result = study.finish(test_logits=test_logits, test_labels=y[150:])
    study.close()
    assert result.verdict.decision in ("better", "no_evidence", "worse", "undecided")
    assert result.verdict.n_test == 50
    assert isinstance(result.recommended, LossSpec)
    assert len(result.trials) == 6


def test_a_study_keeps_its_task_and_an_older_one_has_its_classes_by_number(tmp_path):
    task = Task("multiclass", ("cat", "lorry", "tiger"), "pet")
    with new(tmp_path, task=task) as study:
        assert study.snapshot().task == task
    with Study.open("s", out=tmp_path) as again:
        assert again.task == task
    file = study.folder / "study.json"
    older = json.loads(file.read_text())
    del older["task"]
    assert StudyConfig.from_dict(older).task == Task.of_classes(3)
    assert Task.of_classes(2).kind == "binary"
