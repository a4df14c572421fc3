"""Translate FuxiCTR's settings of training to ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings

_MONITORS = {"AUC": "auc", "logloss": "logloss", "gAUC": "gauc"}
_LOSSES = {"binary_crossentropy", "binary_cross_entropy", "bce"}
_REGULARIZER = re.compile(r"(?P<kind>l1_l2|l1|l2)\((?P<numbers>[^()]+)\)")
_IGNORED = {
    "patience": "FuxiCTR 2.3.1 reads early_stop_patience, 2 unless given",
    "every_x_epochs": "FuxiCTR 2.3.1 reads eval_steps; without it every epoch is evaluated",
    "eval_interval": "FuxiCTR 2.3.1 reads eval_steps; without it every epoch is evaluated",
    "pickle_feature_encoder": "FuxiCTR 2.3.1 does not read it",
    "use_hdf5": "FuxiCTR 2.3.1 does not read it",
    "debug": "FuxiCTR 2.3.1 does not read it",
    "debug_mode": "FuxiCTR 2.3.1 does not read it",
    "version": "FuxiCTR 2.3.1 does not read it",
}
_WITHOUT_EQUAL = {
    "gpu": "training.device chooses the device",
    "num_workers": "prepared rows are read without worker processes",
    "model_root": "a run folder is runs/NAME, or the one that `train` is given",
    "verbose": "progress is shown on a terminal",
}
_REGULARISED_AS_A_WHOLE = ("LR", "FM")
"""Models with one ``regularizer``, which in FuxiCTR acts on all that they have: the rows of embeddings."""
_SILENT = ("metrics", "model_id", "dataset_id", "task", "loss", "optimizer")


def protocol(model: FuxiCtrSettings) -> dict[str, Any]:
    """Make ``training`` of a recipe: the protocol of FuxiCTR, which trains no out-of-vocabulary row on purpose.

    Raises:
        SettingsError: the task is not binary classification.
    """
    if (task := model.take("task", "binary_classification")) != "binary_classification":
        raise SettingsError(
            f"task must be binary_classification, but {task!r} was given; other tasks have no equal here"
        )
    _note_differences(model)
    values = {
        "seed": model.whole("seed", 2019),
        "epochs": model.whole("epochs", 1),
        "batch_size": model.whole("batch_size", 32),
        "learning_rate": model.real("learning_rate", 1e-3),
        "embedding_l2": _embedding_l2(model),
        "clip_norm": model.real("max_gradient_norm", 10),
        "monitor": _monitor(model),
        "patience": model.whole("early_stop_patience", 2),
        "protocol": "published",  # FuxiCTR replaces no rare value
    }
    if model.take("reduce_lr_on_plateau", True) is False:  # noqa: FBT003 - a default
        values["rate_drop"] = 1.0
    return values


def _note_differences(model: FuxiCtrSettings) -> None:
    for key in _SILENT:
        model.take(key)
    model.note_all("ignored by FuxiCTR", _IGNORED)
    model.note_all("no equal", _WITHOUT_EQUAL)
    if str(model.take("optimizer", "adam")).lower() != "adam":
        model.note("no equal", "optimizer", "the recipe trains with Adam")
    if model.take("loss", "bce") not in _LOSSES:
        model.note("no equal", "loss", "the recipe minimises the binary cross-entropy")
    if model.take("net_regularizer", 0) not in {0, "0"}:
        model.note("no equal", "net_regularizer", "only embeddings are regularised")
    if model.take("shuffle", True) is False:  # noqa: FBT003 - a default
        model.note("no equal", "shuffle", "the train split is shuffled in every epoch")
    if model.take("eval_steps") is not None:
        model.note("no equal", "eval_steps", "the valid split is scored after each epoch")
    if model.take("save_best_only", True) is False:  # noqa: FBT003 - a default
        model.note("no equal", "save_best_only", "the weights of the best evaluation are kept")


def _embedding_l2(model: FuxiCtrSettings) -> float:
    """Read lambda of (lambda / 2) * sum of squares, which is also FuxiCTR's scale."""
    key = "regularizer" if model.take("model") in _REGULARISED_AS_A_WHOLE else "embedding_regularizer"
    given = model.take(key, 0)
    try:
        return float(given)
    except (TypeError, ValueError):
        parts = _REGULARIZER.fullmatch(str(given).replace(" ", ""))
    if parts is None:
        raise SettingsError(f"{key} must be a number, l1(x), l2(x) or l1_l2(x, y), but {given!r} was given")
    numbers = [float(number) for number in parts["numbers"].split(",")]
    if parts["kind"] != "l2":
        model.note("no equal", key, "only the sum of squares is regularised; the l1 part is left out")
    return numbers[-1] if parts["kind"] != "l1" else 0.0


def _monitor(model: FuxiCtrSettings) -> str | dict[str, float]:
    """Read one metric, or a weighted sum of several, which is always to be as large as possible."""
    given = model.take("monitor", "AUC")
    weights = given if isinstance(given, Mapping) else {given: 1}
    unknown = [name for name in weights if name not in _MONITORS]
    if unknown or not weights:
        raise SettingsError(f"monitor must be one or several of {list(_MONITORS)}, but {given!r} was given")
    sign = 1 if model.take("monitor_mode", "max") == "max" else -1
    if len(weights) > 1:
        return {_MONITORS[name]: float(sign * weight) for name, weight in weights.items()}
    name, weight = next(iter(weights.items()))
    if (sign * weight > 0) != (name != "logloss"):
        model.note("no equal", "monitor_mode", f"{_MONITORS[name]} is always monitored in its better direction")
    return _MONITORS[name]
