"""Studies of several labels and of sequences, told by a custom loop."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.losses import ClassFacts
from autoloss.metrics import resolve_metric
from autoloss.search import Study
from autoloss.search.scoring import Scorer
from autoloss.search.told import told
from autoloss.verdict.comparisons import compare
from tests.search.fake_training import settings

KINDS = ("multilabel", "sequence")
LABELS = Task("multilabel", (0, 1), names=("cat", "dog", "lorry"))
TAGS = Task("sequence", ("O", "B", "I"), "tag")
COUNTS = {"multilabel": [[50, 50], [70, 30], [90, 10]], "sequence": [100, 60, 40]}
LENGTHS = [4, 1, 7, 2, 5, 3] * 8
N = len(LENGTHS)


def facts_of(kind):
    return ClassFacts(torch.tensor(COUNTS[kind]), task=kind)


def new(kind, out, name="s", **options):
    task = LABELS if kind == "multilabel" else TAGS
    return Study(name, COUNTS[kind], task=task, trials=8, space="quick", out=out, **options)


def labels_of(kind, seed=0):
    """Return labels with a gap: (N, 3) answers, or a list of tags."""
    random = torch.Generator().manual_seed(seed)
    if kind == "multilabel":
        labels = (torch.rand(N, 3, generator=random) < torch.tensor([0.5, 0.3, 0.1])).long()
        labels[5, 1] = -1
        return labels
    tags = [torch.randint(3, (n,), generator=random) for n in LENGTHS]
    tags[0][2] = -100
    return tags


def logits_of(kind, trial, labels, *, salt=0):
    """Return logits that know something of the labels, in the layout of the kind."""
    random = torch.Generator().manual_seed(1000 * salt + trial.number)
    if kind == "multilabel":
        return 4.0 * labels.clamp(0) - 2.0 + 1.5 * torch.randn(N, 3, generator=random)
    known = [torch.nn.functional.one_hot(one.clamp(0), 3) for one in labels]
    return [2.0 * one + 1.5 * torch.randn(len(one), 3, generator=random) for one in known]


def test_the_usual_space_has_losses_that_the_loop_can_serve(tmp_path):
    options = {"task": LABELS, "trials": 8, "out": tmp_path}
    assert "elr" not in Study("a", COUNTS["multilabel"], **options).space.bases
    served = Study("b", COUNTS["multilabel"], provides=["row_ids", "memory"], **options)
    assert "elr" in served.space.bases
    # A space that was asked for is not changed.
    with pytest.raises(InputError, match=r"elr must be given .*'multilabel'"):
        Study("c", COUNTS["multilabel"], space="multilabel", **options)


def run(kind, study):
    """Search to the end; return the logits on the test rows by number."""
    valid, test, found = labels_of(kind), labels_of(kind, 1), {}
    while not study.done:
        trials = study.ask(4)
        logits = [logits_of(kind, trial, valid) for trial in trials]
        study.tell_many(trials, logits, valid, seconds=[1.0] * len(trials))
        found |= {trial.number: logits_of(kind, trial, test, salt=1) for trial in trials}
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_trials_told_together_are_as_told_alone(kind, tmp_path):
    valid = labels_of(kind)
    with new(kind, tmp_path, "a") as one, new(kind, tmp_path, "b") as other:
        trials, same = one.ask(4), other.ask(4)
        logits = [logits_of(kind, trial, valid) for trial in trials]
        together = one.tell_many(trials, logits, valid)
        alone = [other.tell(trial, own, valid) for trial, own in zip(same, logits, strict=True)]
        for first, second in zip(together, alone, strict=True):
            assert first.metrics == pytest.approx(second.metrics, abs=1e-6)
        assert one.report(one.ask(), 1, logits[0], valid) is False


@pytest.mark.parametrize("kind", KINDS)
def test_permuted_test_labels_change_no_trial_and_no_challenger(kind, tmp_path):
    permuted = labels_of(kind, 1)
    if kind == "multilabel":
        permuted = permuted[torch.randperm(N, generator=torch.Generator().manual_seed(0))]
    else:
        permuted = [one.flip(0) for one in permuted]
    found = []
    for name, labels in (("a", labels_of(kind, 1)), ("b", permuted)):
        with new(kind, tmp_path, name) as study:
            logits = run(kind, study)
            verdict = study.finish(logits, labels).verdict
            found.append((settings(study), verdict.challenger, verdict.baseline))
            assert verdict.n_test == told_items(kind, labels).n_rows
    assert found[0] == found[1]


def told_items(kind, labels):
    values = logits_of(kind, type("Trial", (), {"number": 0}), labels)
    return told(values, labels, facts_of(kind), part="test")[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_resamples_whole_rows(kind, tmp_path):
    test = labels_of(kind, 1)
    with new(kind, tmp_path) as study:
        logits = run(kind, study)
        choice = study.finalists()
        result = study.finish(logits, test)
        items = told_items(kind, test)
        # The oracle: the read-out of each trial on each row by itself.
        both = []
        for one in (choice.challenger, choice.baseline):
            readout = study.readout(one.number)
            rows = [
                readout.log_probs(torch.as_tensor(own)[None], study.facts)[0]
                for own in logits[one.number]
            ]
            flat = torch.cat([row.reshape(-1, row.shape[-1]) for row in rows]).double()
            kept = slice(None) if items.places is None else items.places
            both.append(flat[kept].numpy())
        expected = compare(
            *both, items.labels.numpy(), clusters=items.clusters.numpy(), seed=study.seed
        )
    for one in result.verdict.comparisons:
        if one.metric in ("error", "log_loss", "brier"):
            wanted = expected[one.metric].comparison
            assert one.low == pytest.approx(wanted.low, abs=1e-6)
            assert one.challenger == pytest.approx(wanted.challenger, abs=1e-6)
    what = "labels of 48 rows" if kind == "multilabel" else "tokens of 48 sequences"
    assert f"on {len(items)} {what} that were resampled whole" in result.verdict.text
    data = result.summary.data
    assert (data.task, data.n_valid) == (kind, N)
    assert data.n_train == (100 if kind == "multilabel" else 200)
    assert all(path.stat().st_size for path in result.report(tmp_path / "report"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_study_opens_again_with_its_items(kind, tmp_path):
    valid = labels_of(kind)
    with new(kind, tmp_path) as study:
        study.tell(trial := study.ask(), logits_of(kind, trial, valid), valid)
    with Study.open("s", out=tmp_path) as study:
        assert study.task == (LABELS if kind == "multilabel" else TAGS)
        assert study.facts.task == kind
        assert study.facts.counts.tolist() == COUNTS[kind]
        assert study.snapshot().n_valid == N
        study.tell(trial := study.ask(), logits_of(kind, trial, valid), valid)
        other = labels_of(kind, 3)
        with pytest.raises(InputError, match="the same rows in the same order"):
            study.tell(trial := study.ask(), logits_of(kind, trial, other), other)


def test_a_model_that_knows_only_how_frequent_each_label_is_has_learnt_nothing(tmp_path):
    random = torch.Generator().manual_seed(0)
    rates = torch.tensor([0.5, 0.3, 0.1])
    valid, test = ((torch.rand(400, 3, generator=random) < rates).long() for _ in range(2))
    with new("multilabel", tmp_path) as study:
        while not study.done:
            trials = study.ask(4)
            # By the rates of all labels together, 0.3, this model would be far ahead.
            logits = [rates.logit() + 0.3 * torch.randn(400, 3, generator=random) for _ in trials]
            study.tell_many(trials, logits, valid)
        some = rates.logit() + 0.3 * torch.randn(400, 3, generator=random)
        result = study.finish({trial.number: some for trial in study.trials}, test)
    assert result.verdict.decision == "undecided"
    assert "not better than the class shares" in result.verdict.reason


@pytest.mark.parametrize("kind", KINDS)
def test_the_read_out_is_fitted_on_other_rows_than_it_is_judged_on(kind):
    """A fold has whole rows, evenly many: also of long sequences, and without a missing label."""
    items = told_items(kind, labels_of(kind))
    folds = Scorer(facts_of(kind), resolve_metric("error"), 0).folds(items)
    assert folds.bincount().tolist() == [10, 10, 10, 9, 9]
    of_items = items.of_rows(folds)
    assert len(of_items) == len(items)
    for fold in range(5):
        inside = set(items.rows[of_items == fold].tolist())
        assert not inside & set(items.rows[of_items != fold].tolist())


def test_padded_tensors_and_arrays_are_told_as_lists_are():
    tags = labels_of("sequence")
    logits = logits_of("sequence", type("Trial", (), {"number": 0}), tags)
    facts = facts_of("sequence")
    lists = told(logits, tags, facts, part="val")
    plain = [one.numpy() for one in logits], [one.tolist() for one in tags]
    arrays = told(*plain, facts, part="val")
    padded = torch.nn.utils.rnn.pad_sequence(logits, batch_first=True)
    wanted = torch.nn.utils.rnn.pad_sequence(tags, batch_first=True, padding_value=-100)
    holed = wanted.double().masked_fill(wanted < 0, torch.nan)
    tensors = told(padded, holed, facts, part="val")
    for values, items in (arrays, tensors):
        assert torch.equal(items.labels, lists[1].labels)
        assert torch.equal(items.clusters, lists[1].clusters)
        assert torch.equal(items.scores(values[None]), lists[1].scores(lists[0][None]))


def test_rows_that_say_the_same_thrice_tell_no_more_than_once():
    """Three copies of a label: the interval is that of the rows, not of thrice as many."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, 300)
    logits = [torch.from_numpy(2.0 * targets - 1.0 + random.normal(size=300)) for _ in range(2)]
    facts = ClassFacts(torch.full((3, 2), 100.0), task="multilabel")
    labels = torch.from_numpy(np.stack([targets] * 3, 1))
    found = [told(one[:, None].repeat(1, 3), labels, facts, part="val") for one in logits]
    items = found[0][1]
    thrice = [
        items.scores(facts.over_classes(one)[None])[0].log_softmax(-1).numpy() for one, _ in found
    ]
    once = [one[::3] for one in thrice]
    rows = compare(*once, targets)["log_loss"].comparison
    whole = compare(*thrice, items.labels.numpy(), clusters=items.clusters.numpy())
    assert whole["log_loss"].comparison.low == pytest.approx(rows.low, rel=0.1)
    free = compare(*thrice, items.labels.numpy())["log_loss"].comparison
    assert (free.high - free.low) < 0.7 * (rows.high - rows.low)
    # McNemar's test takes items for independent, so it does not apply.
    assert whole["error"].p_value > compare(*thrice, items.labels.numpy())["error"].p_value


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        ("multilabel", lambda x, y: (x[:, :2], y), "val_logits must have the shape (N, 3)"),
        ("multilabel", lambda x, y: (x, y[:, :2]), "a yes or no for each logit, shape (48, 3)"),
        ("multilabel", lambda x, y: (x, y + 1), "val_labels must be 0 or 1, and -1, -100 or NaN"),
        ("sequence", lambda x, y: (x[1:], y), "val_logits must be of 48 sequences, but got 47"),
        ("sequence", lambda x, y: (x, [y[1], *y[1:]]), "val_logits[0] must have the shape (1, 3)"),
        ("sequence", lambda x, y: (x, [y[0] + 3, *y[1:]]), "must be classes 0 to 2, and -1, "),
        ("sequence", lambda x, y: (x, [y[0][:0], *y[1:]]), "must have a class for each token"),
        ("sequence", lambda x, y: ([], []), "val_labels must have a sequence"),
        ("sequence", lambda x, y: (x, [one * 0 - 1 for one in y]), "must have a label, but got"),
        ("multilabel", lambda x, y: (x, y * np.nan), "must have a label, but got none that is"),
    ],
)
def test_logits_and_labels_that_do_not_fit_are_one_clear_line(kind, change, message):
    labels = labels_of(kind)
    logits = logits_of(kind, type("Trial", (), {"number": 0}), labels)
    with pytest.raises(InputError, match=re.escape(message)):
        told(*change(logits, labels), facts_of(kind), part="val")


def test_the_losses_of_a_trial_train_several_labels_and_tokens(tmp_path):
    with new("multilabel", tmp_path, "a") as labels, new("sequence", tmp_path, "b") as tags:
        value = labels.ask().loss(torch.zeros(5, 3), torch.ones(5, 3, dtype=torch.int64))
        assert value.item() == pytest.approx(np.log(2.0))
        value = tags.ask().loss(torch.zeros(5, 4, 3), torch.ones(5, 4, dtype=torch.int64))
        assert value.item() == pytest.approx(np.log(3.0))
    for task, counts, message in (
        (Task("multilabel", (0, 1)), [50, 50], "without and with each label"),
        (LABELS, [[50, 50]], "of the 3 labels of the task"),
        (TAGS, [50, 50], "of the 3 classes of the task"),
    ):
        with pytest.raises(InputError, match=message):
            Study("c", counts, task=task, out=tmp_path)


def test_tags_have_the_f1_of_entities_as_a_metric(tmp_path):
    counts, names = [50, 20, 30], ("B-x", "I-x", "O")
    valid, test = labels_of("sequence"), labels_of("sequence", 1)
    task = Task("sequence", names)
    with Study(
        "s", class_counts=counts, task=task, trials=4, metric="entity_f1", out=tmp_path
    ) as study:
        logits = {}
        while not study.done:
            trial = study.ask()
            study.tell(trial, logits_of("sequence", trial, valid), valid)
            logits[trial.number] = logits_of("sequence", trial, test, salt=1)
        result = study.finish(logits, test)
    (found,) = [one for one in result.verdict.comparisons if one.metric == "entity_f1"]
    own = logits[result.verdict.challenger]
    items = told_items("sequence", test)
    true = np.concatenate([np.asarray(one) for one in test])
    assert 0 < found.challenger <= 1
    assert found.low <= found.challenger - found.baseline <= found.high
    assert len(own) == len(test)
    assert len(items) <= len(true)
