"""The search as one call, from the data to the report."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from autoloss.core.task import Label
from autoloss.data import Source
from autoloss.data.class_knowledge import Similarity, Weights
from autoloss.data.costs import Costs
from autoloss.data.options import Columns
from autoloss.executors import Workers
from autoloss.experiment import joining, planning, resuming, starting
from autoloss.experiment.joining import Joined
from autoloss.experiment.request import Request, Ship, Track
from autoloss.experiment.shipping import ship
from autoloss.experiment.teachers.opening import GivenTeacher
from autoloss.experiment.watching import Watcher, as_progress, watched
from autoloss.inference.loading import load
from autoloss.losses.own import Losses
from autoloss.metrics import Metric, MetricFunction, Metrics
from autoloss.models.custom.own import AUTO, Model
from autoloss.records import Plan
from autoloss.search import SearchResult
from autoloss.search.folders import list_studies

__all__ = ["join", "list_studies", "load", "plan", "resume", "search", "ship"]


@watched
def search(
    data: Source,
    target: str | Iterable[str] | None = None,
    *,
    metric: str | MetricFunction | Metric | None = None,
    space: str | Path = "default",
    trials: int = 128,
    time_limit: float | None = None,
    labels_in: str = "columns",
    label_separator: str | None = None,
    tokens: str | None = None,
    constrained: bool = False,
    images: str | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
    features: str | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    ood: Source | None = None,
    groups: str | None = None,
    cost_column: str | None = None,
    split_by: str | None = None,
    drop: Iterable[str] = (),
    columns: Columns = (),
    decimal: str | None = None,
    date_format: str | None = None,
    missing: Iterable[str] = (),
    classes: bool = False,
    positive: Label | None = None,
    lock: bool = False,
    class_weights: Weights | None = None,
    class_similarity: Similarity | None = None,
    cost_matrix: Costs | None = None,
    label_decision: str | int = "metric",
    teacher: GivenTeacher | None = None,
    trust_pickle: bool = False,
    losses: Losses | None = None,
    metrics: Metrics | None = None,
    model: Model = AUTO,
    seed: int = 0,
    device: str = "auto",
    workers: Workers = "auto",
    executor: str = "local",
    address: str | None = None,
    ship: Ship = "blend",
    refit: bool | None = None,
    code_length: bool = False,
    examples: bool = True,
    name: str | None = None,
    storage: str | None = None,
    tracking_uri: str | None = None,
    track: Track = "all",
    register: str | None = None,
    out: str | Path = "reports",
    progress: Watcher = None,
) -> SearchResult:
    """Find the loss that should train a classifier, and compare it with tuned cross-entropy.

    Args:
        data: A DataFrame, the path of a CSV, TSV (also compressed: .csv.gz), Excel, JSON, JSON
            lines, Parquet, Feather or ARFF file, or ``sklearn:NAME``. With a custom `model`
            also a `torch.utils.data.Dataset`, a `DataLoader`, an iterable of batches with a
            length, a pair ``(inputs, labels)`` of tensors or arrays, or ``"FILE.py:NAME"`` or
            ``"MODULE:NAME"`` of one or of a function that returns it.
        target: The column to predict; optional for ``sklearn:NAME``. For several labels per row
            the names of their yes-or-no columns, or patterns such as ``"topic_*"``.
        metric: The primary metric: ``"error"`` (the default), ``"balanced_error"``, a name of
            scikit-learn's scorers such as ``"accuracy"`` or ``"roc_auc"``, ``"expected_cost"``
            (the default if a cost matrix is given), or a function of probabilities ``(N, C)``
            and classes ``(N,)`` with an attribute ``lower_is_better``.
        space: Name of a search space, or path of a TOML file.
        trials: The maximum number of trials.
        time_limit: The maximum seconds for the whole search, including the final training runs. A
            search with a time limit is no longer a function of its seed.
        labels_in: ``"columns"``, or ``"list"`` where `target` is a column of lists of labels.
        label_separator: The text between the labels of a cell, where lists are text.
        tokens: Column of the tokens of sequences, whose tags are the target: lists, or text that
            is split into letters; a column's number from 0 in a CoNLL file. None for a table of
            rows.
        constrained: Decide only for valid sequences of entity tags (no I-place after O), by the
            Viterbi algorithm over the calibrated probabilities; in predictions, entity F1 and
            segment overlap. The error counts the likeliest tag of each token.
        images: Column of images: paths relative to the file, encoded images, or arrays. None
            for a table of rows, and for a folder of images or an ``.npz`` file.
        image_size: The longest side in pixels at which images are read; by default that of the
            median image, 64 at most.
        skip_bad: Leave out images that cannot be read, instead of refusing them.
        features: A frozen network that turns images, or the texts of a column (the column of kind
            ``"text"``), into vectors, which the candidates learn from: ``"timm:NAME"``,
            ``"torchvision:NAME"``, ``"hf:NAME"`` or ``"st:NAME"`` (for the last two also a
            folder), or ``"FILE.py:NAME"``, a function that returns a vector for each of a list of
            images of Pillow or of texts. The file is executed.
        valid: Rows to validate on; by default a part of `data`.
        test: Rows to lock for the verdict; by default a part of `data`.
        ood: Out-of-distribution rows, which belong to no class, with the columns of `data` (no
            target), or a folder of images. One half selects the OOD score of each finalist and of
            the shipped model, the other half is locked and judges it.
        groups: Column of groups: rows with the same value stay in the same part.
        cost_column: Column with the cost of each row, such as an amount, by which the costs of its
            decisions are multiplied (1 for a wrong decision without a cost matrix); not an input.
        split_by: Column of time: train on the past, lock the latest rows.
        drop: Columns to leave out.
        columns: Kind of each column that the guess gets wrong, by name: ``"number"``,
            ``"category"``, ``"text"``, ``"date"`` or ``"drop"``.
        decimal: The decimal mark, ``"."`` or ``","``, if numbers can be read either way.
        date_format: The format of dates, such as ``"%d/%m/%Y"``, if they can be read either way.
        missing: Cells that mean missing, besides empty cells, ``NA`` and the like.
        classes: Whether each number of the target is a class even if there are many numbers.
        positive: The positive class of a binary target.
        lock: Whether to lock a fifth of the rows for the verdict, also below 10 000 rows, where by
            default all rows are judged, each by training runs that held it out.
        class_weights: Weight of each class, or the path of a table of two columns, the class and
            its weight. They join the priors as ``"given_weights"``.
        class_similarity: Similarity of each pair of classes: a square table with the classes in
            its index (first column of a file) and header. Larger is more alike, and rows are
            scaled to sum to 1. It joins the targets as ``"similarity_smoothing"``.
        cost_matrix: Cost of each decision (column) for each true class (row), in any unit: a
            square table with the classes in its index (first column of a file) and header, or a
            mapping of true classes to mappings of decisions. The model then makes the decision of
            the lowest expected cost, and every trial reports it.
        label_decision: The decision on several labels per row: ``"metric"`` (at thresholds for F1
            or for the costs, if the metric is one of these, else the likelier answer),
            ``"likelier"``, ``"f1"``, or a number of labels for each row.
        teacher: A teacher, whose probabilities for the training rows are targets; it joins the
            targets as ``"distillation"``. ``"boosting"`` (scikit-learn's gradient boosting,
            trained by the search, which teaches no row that it has seen), ``"self"`` (the best
            trials of this search teach the later trials), the folder of a study or a model, a
            `Classifier`, a fitted estimator with ``predict_proba`` on the columns of `data`, a
            `torch.nn.Module` that returns logits, a file or DataFrame of predictions, or
            ``"FILE.py:NAME"`` of one of these or of a function that returns it. The file is
            executed. A teacher that has learnt from validation or test rows is a leak.
        trust_pickle: Whether a teacher may be a file of joblib or pickle, which can run any code
            when it is opened: trust only files that you or somebody you trust wrote.
        losses: Your own losses, one or several, which are searched too: losses made with
            `autoloss.losses.declare`, or paths of Python files that declare some. The files are
            executed.
        metrics: Custom metrics, which every trial has: functions by name, or paths
            ``"FILE.py:NAME"``. A function takes probabilities and targets, or the logits, or the
            model alone, as its attributes say (`autoloss.metrics.Metric` describes them), and
            `metric`, the objectives of the space and `select` may name it. The file is executed.
        model: ``"auto"`` for the built-in network, or your own: a function
            ``make_net(n_features, n_outputs)`` or ``make_net(example, n_outputs)`` that returns a
            `torch.nn.Module`, its path as ``"FILE.py:NAME"``, or a module whose weights every
            candidate starts from. The file is executed. The module maps rows ``(B, n_features)``
            of plain numbers (standardised columns, 0 for missing; indicators of missing numbers;
            one-hot categories; TF-IDF weights of text) to logits ``(B, n_outputs)``, one output
            for each class, two for two classes. For sequences it is
            ``make_net(n_codes, n_features, n_outputs)``, and the module maps padded codes and
            numbers with their mask, ``(B, T)``, ``(B, T, n_features)`` and ``(B, T)``, to logits
            ``(B, T, n_outputs)``. For images it is ``make_net(n_channels, n_outputs)`` and reads
            ``(B, n_channels, H, W)``. It draws its first weights from torch's random numbers and
            has its own dropout. Losses that need a special last layer are left out.
        seed: Seed of the split, the settings and the training runs.
        device: ``"auto"`` (the GPU if there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        workers: Worker processes, with one thread each: ``"auto"`` for one per free core, 1 for
            this process alone with all its threads. The trials do not depend on the number.
            With a GPU, and with a network or loss without a file, training stays in this process.
            On Ray, the number of workers on all nodes; ``"auto"`` for one per GPU, or per CPU.
        executor: ``"local"``, or ``"ray"`` to train on a Ray cluster (``pip install
            "autoloss[ray]"``). The trials do not depend on it.
        address: The address of the cluster: ``"auto"`` for the cluster that runs on this machine,
            ``"HOST:PORT"`` or ``"ray://HOST:PORT"``; by default a cluster starts on this machine
            for the search.
        ship: The model to ship: ``"blend"``, a weighted mean of finalists; ``"verdict"``, the
            recommended loss; ``"best"``, the admissible finalist with the lowest
            expected log loss. The report compares all three.
        refit: Whether the members of that model are retrained on all rows at the end, including
            locked rows but not `test`, on a schedule that ends about where early stopping ended
            the earlier runs. The figures are from the earlier runs. By default they are if
            the training runs saw less than two thirds of the rows, and if it takes at most a
            fifth of the time of the search or fits into `time_limit`.
        code_length: Whether the report has the code lengths of the training labels: two-part, and
            prequential, for which challenger and tuned cross-entropy are trained on growing parts
            of the rows.
        examples: Whether the report shows the first words or small copies of the images of a few
            rows on which the finalists disagree.
        name: The study's name; by default the name of the data, with a number if it is taken.
        storage: URL of a database in place of the journal file in the study's folder.
        tracking_uri: MLflow's tracking URI; by default the environment's, else
            ``sqlite:///mlflow.db``.
        track: The trials that MLflow gets: ``"all"``; ``"pareto"``, at the end the trials on the
            front and in the verdict, and the winner; or ``"off"``. An active run of MLflow
            becomes the study's parent.
        register: Name in MLflow's model registry under which the winner is registered, with the
            alias ``champion``; None registers nothing.
        out: The folder of all studies; this study is written to ``out/name``.
        progress: Whether to show progress, by default in a terminal and in a notebook only; or an
            object that receives it.

    Returns:
        The verdict, the recommended loss, every trial and the trained model.

    Raises:
        InputError: The data or an option is wrong; the message names the fault and the remedy.
        TrainingError: No candidate could be trained.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out:
        ...     result = search("sklearn:iris", space="quick", trials=4, track="off", out=out)
        >>> result.verdict.decision in {"better", "no_evidence", "worse", "undecided"}
        True
    """
    return starting.search(Request.of(locals()), as_progress(progress))


def plan(
    data: Source,
    target: str | Iterable[str] | None = None,
    *,
    metric: str | MetricFunction | Metric | None = None,
    space: str | Path = "default",
    trials: int = 128,
    time_limit: float | None = None,
    labels_in: str = "columns",
    label_separator: str | None = None,
    tokens: str | None = None,
    constrained: bool = False,
    images: str | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
    features: str | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    ood: Source | None = None,
    groups: str | None = None,
    cost_column: str | None = None,
    split_by: str | None = None,
    drop: Iterable[str] = (),
    columns: Columns = (),
    decimal: str | None = None,
    date_format: str | None = None,
    missing: Iterable[str] = (),
    classes: bool = False,
    positive: Label | None = None,
    lock: bool = False,
    class_weights: Weights | None = None,
    class_similarity: Similarity | None = None,
    cost_matrix: Costs | None = None,
    label_decision: str | int = "metric",
    teacher: GivenTeacher | None = None,
    trust_pickle: bool = False,
    losses: Losses | None = None,
    metrics: Metrics | None = None,
    model: Model = AUTO,
    seed: int = 0,
    device: str = "auto",
    workers: Workers = "auto",
    executor: str = "local",
    address: str | None = None,
) -> Plan:
    """Return the plan of `search` for the same arguments, without training or writing.

    The expected time comes from a few training steps, whose weights are discarded.

    Raises:
        InputError: As in `search`.
    """
    return planning.plan(Request.of({**locals(), "track": "off"}))


@watched
def resume(
    study: str | Path,
    *,
    out: str | Path = "reports",
    storage: str | None = None,
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    ood: Source | None = None,
    metric: MetricFunction | Metric | None = None,
    teacher: GivenTeacher | None = None,
    losses: Losses | None = None,
    metrics: Metrics | None = None,
    model: Model | None = None,
    tracking_uri: str | None = None,
    judge_now: bool = False,
    executor: str | None = None,
    address: str | None = None,
    progress: Watcher = None,
) -> SearchResult:
    """Continue a study where it stopped; a finished study is read from its folder.

    Args:
        study: Its name or its folder.
        out: The folder of all studies.
        storage: URL of its database, if it has a password.
        data: The data, if the study began with a DataFrame or other data that no file holds; the
            same holds for `valid`, `test` and `ood`.
        valid: See `data`.
        test: See `data`.
        ood: See `data`.
        metric: The function, if the study's metric is a function.
        teacher: The teacher, if the study began with a teacher that was not a folder.
        losses: Your own losses, if the study began with some that no file holds, or whose file
            has moved.
        metrics: Your own metrics, likewise.
        model: Your own network, if no file holds it, or its file has moved.
        tracking_uri: MLflow's tracking URI; by default the study's.
        judge_now: Whether to train no further trials and conclude with the trials that ended.
        executor: Where to train from now on, as in `search`; by default as before.
        address: The address of the Ray cluster from now on.
        progress: Whether to show progress, by default in a terminal and in a notebook only; or an
            object that receives it.

    Raises:
        StudyNotFoundError: There is no such study.
        InputError: The data have changed since the study began, or MLflow's database is broken.
            For a finished study, `SearchResult.unwritten` reports the broken database instead.
    """
    again = Request.of(locals())
    return resuming.resume(study, again, judge_now=judge_now, progress=as_progress(progress))


@watched
def join(
    study: str | Path,
    *,
    storage: str | None = None,
    out: str | Path = "reports",
    data: Source | None = None,
    valid: Source | None = None,
    test: Source | None = None,
    ood: Source | None = None,
    metric: MetricFunction | Metric | None = None,
    teacher: GivenTeacher | None = None,
    losses: Losses | None = None,
    metrics: Metrics | None = None,
    model: Model | None = None,
    device: str | None = None,
    workers: Workers | None = None,
    wait: float = 0.0,
    progress: Watcher = None,
) -> Joined:
    """Train trials of a study beside other processes, on this or another machine.

    It returns when the budget is spent. The first process that finds it spent reaches the
    verdict; the others leave, and `search` or `resume` elsewhere waits for it.

    Args:
        study: Its name, or its folder.
        storage: URL of its database. Without a database all processes share the folder `out`.
        out: The folder of all studies on this machine.
        data: The data, if their path differs here; the fingerprint must be the same.
        valid: See `data`.
        test: See `data`.
        ood: See `data`.
        metric: The function, if the study's metric is a function.
        teacher: The teacher, if its path differs here, or it is not a file.
        losses: Your own losses, likewise.
        metrics: Your own metrics, likewise.
        model: Your own network, likewise.
        device: Where to train; by default as the study says.
        workers: Processes that train here; by default as the study says.
        wait: Seconds to wait for a study that has not begun yet.
        progress: Whether to show progress, by default in a terminal and in a notebook only; or an
            object that receives it.

    Returns:
        The part that this process took, with the result if it reached the verdict.

    Raises:
        StudyNotFoundError: There is no such study.
        InputError: Something is missing here, or the data are not the study's.
    """
    again = Request.of(locals())
    return joining.join(study, again, progress=as_progress(progress), wait=wait)
