"""``autoloss resume``: continues an interrupted study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from autoloss.cli import executor_options, options

if TYPE_CHECKING:
    from autoloss.experiment.progress import Progress
    from autoloss.search.result import SearchResult

EXAMPLES = (
    "autoloss resume churn",
    "autoloss resume churn --judge-now",
    "autoloss resume churn --out studies --quiet",
)


def resume(
    study: options.StudyName,
    *,
    out: options.Out = options.OUT,
    storage: options.Storage = None,
    losses: options.Losses = None,
    metrics: options.Metrics = None,
    model: options.NetworkAgain = None,
    judge_now: options.JudgeNow = False,
    executor: executor_options.Executor = None,
    address: executor_options.Address = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Continue a study where it stopped, with its data and options.

    It also writes the runs that MLflow lacks; the exit code is 1 if that fails.
    """
    from autoloss.cli.search_run import require_written, run, show

    def go_on(study: str, progress: Progress, *, judge: bool) -> SearchResult:
        # Loaded under the bar, because loading takes a second.
        from autoloss import api

        return api.resume(
            study,
            out=out,
            storage=storage,
            losses=tuple(losses or ()),
            metrics=tuple(metrics or ()),
            model=model,
            judge_now=judge,
            executor=executor,
            address=address,
            progress=progress,
        )

    result = run(
        lambda progress: go_on(study, progress, judge=judge_now),
        judge=lambda kept, progress: go_on(kept, progress, judge=True),
        out=out,
        storage=storage,
    )
    # A study may be named by its folder.
    place = Path(study)
    show(result, out=place.parent if len(place.parts) > 1 else out)
    require_written(result)
