"""Fits one peer on the rows of a folder; runs in the environment of `benchmarks/peers.txt`.

    python -m benchmarks.peer_models FOLDER

FOLDER has ``request.json``, ``train.parquet`` and ``test.parquet``; the target is coded from 0. It
gets ``probs.npy``, the probabilities (N, C) of the test rows, and ``done.json``. The clock starts
after the imports and stops before the test rows are predicted.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Probs = NDArray[np.float64]
Predict = Callable[[pd.DataFrame], Probs]
VALID = 0.2
"""The share of the training rows on which a peer without its own rule validates."""
TIMED = 1_000
"""Rows whose training tells the time of an epoch."""


class Budget:
    """The seconds of a fit.

    Args:
        seconds: Seconds of the whole machine.
        threads: Threads of the peer.
        cores: With a number, the clock counts processor seconds and divides them by it: a peer
            with one thread has as many processor seconds as one that keeps all cores busy.
        most: Most settings or networks.
    """

    def __init__(self, seconds: float, threads: int, cores: int | None, most: int) -> None:
        self.seconds, self.threads, self.cores, self.most = seconds, threads, cores, most
        self._start = self._now()

    def _now(self) -> float:
        return time.process_time() / self.cores if self.cores else time.monotonic()

    @property
    def used(self) -> float:
        """Return the seconds used."""
        return self._now() - self._start

    @property
    def left(self) -> float:
        """Return the seconds left."""
        return self.seconds - self.used

    def rounds(self) -> Iterator[int]:
        """Yield 0, 1, ... while a round as long as the longest so far would still fit."""
        longest, number = 0.0, 0
        while number == 0 or (self.left > longest and number < self.most):
            before = self.used
            yield number
            longest, number = max(longest, self.used - before), number + 1


class Rows:
    """The rows of a set, with categories as pandas' own.

    Args:
        folder: The folder that has them.
        target: The column of the classes, from 0.
        seed: The seed of the peer.
    """

    def __init__(self, folder: Path, target: str, seed: int) -> None:
        self.folder = folder
        train, self.test = (
            pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test")
        )
        self.y = train[target].to_numpy()
        self.n_classes = int(self.y.max()) + 1
        self.x = train.drop(columns=target)
        self.seed = seed
        self.categories = [
            name for name in self.x if not pd.api.types.is_numeric_dtype(self.x[name])
        ]
        for name in self.categories:
            levels = sorted(self.x[name].dropna().astype(str).unique())
            for frame in (self.x, self.test):
                text = frame[name].astype(str).where(frame[name].notna())
                frame[name] = pd.Categorical(text, categories=levels)
        for name in self.x.columns.difference(self.categories):
            for frame in (self.x, self.test):
                frame[name] = frame[name].astype("float64")

    def fill(self) -> None:
        """Replace missing numbers by the median, and mark missing categories."""
        for name in self.x:
            if name in self.categories:
                for frame in (self.x, self.test):
                    frame[name] = frame[name].cat.add_categories("(missing)").fillna("(missing)")
            else:
                middle = self.x[name].median()
                for frame in (self.x, self.test):
                    frame[name] = frame[name].fillna(middle)

    def divided(self) -> list[Any]:
        """Return training and validation rows, then their classes."""
        from sklearn.model_selection import train_test_split

        stratify = self.y if np.bincount(self.y).min() > 1 else None
        found: list[Any] = train_test_split(
            self.x, self.y, test_size=VALID, stratify=stratify, random_state=self.seed
        )
        return found


def placed(probs: Any, classes: Any, n_classes: int) -> Probs:
    """Return probabilities in the columns of their classes, (N, C)."""
    whole = np.zeros((len(probs), n_classes))
    whole[:, np.asarray(classes, dtype=int)] = probs
    return whole


def histgb(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Fit scikit-learn's gradient boosting once, with its defaults."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(random_state=rows.seed).fit(rows.x, rows.y)
    about["trees"] = model.n_iter_
    return lambda x: placed(model.predict_proba(x), model.classes_, rows.n_classes)


def lightgbm(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Search LightGBM's settings at random, the defaults first; every fit stops early."""
    import lightgbm as lgb

    x, held, y, held_y = rows.divided()
    rng = np.random.default_rng(rows.seed)

    def until_the_end(env: Any) -> None:
        if budget.left < 0 and env.iteration > 0:
            raise lgb.callback.EarlyStopException(env.iteration, env.evaluation_result_list)

    best, lowest = None, np.inf
    for number in budget.rounds():
        drawn: dict[str, Any] = {
            "learning_rate": 10 ** rng.uniform(-1.7, -0.7),
            "num_leaves": round(2 ** rng.uniform(2.5, 7.5)),
            "min_child_samples": round(10 ** rng.uniform(0.7, 2)),
            "colsample_bytree": rng.uniform(0.4, 1),
            "subsample": rng.uniform(0.5, 1),
            "subsample_freq": 1,
            "reg_lambda": 10 ** rng.uniform(-3, 1),
        }
        model = lgb.LGBMClassifier(
            n_estimators=4_000,
            n_jobs=budget.threads,
            random_state=rows.seed,
            verbosity=-1,
            **(drawn if number else {}),
        )
        model.fit(
            x,
            y,
            eval_set=[(held, held_y)],
            callbacks=[lgb.early_stopping(50, verbose=False), until_the_end],
        )
        loss = next(iter(model.best_score_["valid_0"].values()))
        if loss < lowest:
            best, lowest = model, loss
            about.update(best=number, trees=model.best_iteration_)
        about.update(settings=number + 1)
    assert best is not None
    return lambda x: placed(best.predict_proba(x), best.classes_, rows.n_classes)


def catboost(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Search CatBoost's settings at random, the defaults first; every fit stops early."""
    from catboost import CatBoostClassifier, Pool

    rows.fill()
    for frame in (rows.x, rows.test):
        frame[rows.categories] = frame[rows.categories].astype(str)
    x, held, y, held_y = rows.divided()
    train, valid = Pool(x, y, rows.categories), Pool(held, held_y, rows.categories)
    rng = np.random.default_rng(rows.seed)

    class UntilTheEnd:
        def after_iteration(self, info: Any) -> bool:
            return budget.left > 0

    best, lowest = None, np.inf
    for number in budget.rounds():
        drawn: dict[str, Any] = {
            "learning_rate": 10 ** rng.uniform(-1.7, -0.7),
            "depth": int(rng.integers(4, 9)),
            "l2_leaf_reg": 10 ** rng.uniform(0, 1.5),
            "random_strength": 10 ** rng.uniform(-1, 1),
            "bagging_temperature": rng.uniform(0, 1),
        }
        model = CatBoostClassifier(
            loss_function="Logloss" if rows.n_classes == 2 else "MultiClass",
            od_type="Iter",
            od_wait=50,
            thread_count=budget.threads,
            random_seed=rows.seed,
            allow_writing_files=False,
            verbose=False,
            **(drawn if number else {}),
        )
        model.fit(train, eval_set=valid, callbacks=[UntilTheEnd()])
        loss = next(iter(model.get_best_score()["validation"].values()))
        if loss < lowest:
            best, lowest = model, loss
            about.update(best=number, trees=model.tree_count_)
        about.update(settings=number + 1)
    assert best is not None
    return lambda x: placed(best.predict_proba(x), best.classes_, rows.n_classes)


def _members(
    make: Callable[..., Any], epochs: int, rows: Rows, budget: Budget, about: dict[str, Any]
) -> Predict:
    """Average networks of other seeds and validation rows while the time lasts.

    The first has the default number of epochs, or as many as fit; the others as many again.
    """
    rows.fill()
    few = np.random.default_rng(rows.seed).permutation(len(rows.x))[:TIMED]
    few = np.union1d(few, np.unique(rows.y, return_index=True)[1])
    # The first fit also imports and warms up, and each has its start.
    seconds = []
    for n_epochs in (1, 1, 4):
        before = budget.used
        make(seed=rows.seed, n_epochs=n_epochs).fit(rows.x.iloc[few], rows.y[few])
        seconds.append(budget.used - before)
    epoch = max(seconds[2] - seconds[1], 0.01) / 3 * len(rows.x) / len(few)
    fits = max(1, int(0.9 * budget.left / epoch))
    about.update(epochs=min(epochs, fits), default_epochs=fits >= epochs, epoch=round(epoch, 2))
    models = []
    for number in budget.rounds():
        model = make(seed=rows.seed + 1_000 * number, n_epochs=min(epochs, fits))
        models.append(model.fit(rows.x, rows.y))
        about.update(members=len(models))
    return lambda x: np.mean(
        [placed(one.predict_proba(x), one.classes_, rows.n_classes) for one in models], axis=0
    )


def realmlp(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Fit RealMLP with its defaults for log loss: no smoothing, the epoch of lowest log loss."""
    from pytabkit import RealMLP_TD_Classifier

    def make(seed: int, n_epochs: int) -> Any:
        return RealMLP_TD_Classifier(
            device="cpu",
            random_state=seed,
            n_threads=budget.threads,
            n_epochs=n_epochs,
            use_ls=False,
            val_metric_name="cross_entropy",
        )

    return _members(make, 256, rows, budget, about)


def tabm(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Fit TabM with its defaults; it stops early by the log loss, or when the time is used."""
    from pytabkit import TabM_D_Classifier

    def make(seed: int, n_epochs: int) -> Any:
        return TabM_D_Classifier(
            device="cpu",
            random_state=seed,
            n_threads=budget.threads,
            n_epochs=n_epochs,
            val_metric_name="cross_entropy",
        )

    return _members(make, 1_000, rows, budget, about)


def _autogluon(
    rows: Rows, budget: Budget, about: dict[str, Any], hyperparameters: Any, **options: Any
) -> Predict:
    from autogluon.tabular import TabularPredictor

    if budget.cores:
        raise SystemExit("AutoGluon has a wall clock: run it with --clock wall.")
    path = str(rows.folder / "autogluon")
    predictor = TabularPredictor("target", eval_metric="log_loss", path=path, verbosity=1)
    predictor.fit(
        rows.x.assign(target=rows.y),
        time_limit=budget.left,
        hyperparameters=hyperparameters,
        num_cpus=budget.threads,
        num_gpus=0,
        **options,
    )
    about.update(models=predictor.model_names(), best=predictor.model_best)
    return lambda x: placed(*_columns(predictor.predict_proba(x)), rows.n_classes)


def _columns(probs: pd.DataFrame) -> tuple[Any, Any]:
    return probs.to_numpy(), probs.columns


def autogluon_nn(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Fit AutoGluon's torch network alone: its tuned settings, the default first; an ensemble."""
    from autogluon.tabular.configs.hyperparameter_configs import get_hyperparameter_config

    tuned = get_hyperparameter_config("zeroshot")["NN_TORCH"]
    return _autogluon(rows, budget, about, {"NN_TORCH": tuned})


def autogluon(rows: Rows, budget: Budget, about: dict[str, Any]) -> Predict:
    """Fit AutoGluon whole, with its default presets."""
    return _autogluon(rows, budget, about, "default")


PEERS = {
    "histgb": (histgb, ("sklearn",), "scikit-learn"),
    "lightgbm": (lightgbm, ("lightgbm",), "lightgbm"),
    "catboost": (catboost, ("catboost",), "catboost"),
    "realmlp": (realmlp, ("torch", "pytabkit"), "pytabkit"),
    "tabm": (tabm, ("torch", "pytabkit"), "pytabkit"),
    "autogluon_nn": (autogluon_nn, ("torch", "autogluon.tabular"), "autogluon.tabular"),
    "autogluon": (autogluon, ("torch", "autogluon.tabular"), "autogluon.tabular"),
}


def main() -> None:
    """Fit the peer that the folder's request names."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    fit, modules, package = PEERS[request["peer"]]
    for name in modules:
        __import__(name)
    warnings.simplefilter("ignore")
    rows = Rows(folder, request["target"], request["seed"])
    about: dict[str, Any] = {}
    budget = Budget(*(request[name] for name in ("seconds", "threads", "cores", "rounds")))
    predict = fit(rows, budget, about)
    took = budget.used
    np.save(folder / "probs.npy", predict(rows.test))
    done = {"took": took, "version": version(package), "about": about}
    (folder / "done.json").write_text(json.dumps(done), encoding="utf-8")


if __name__ == "__main__":
    main()
