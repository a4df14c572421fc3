"""RankElastor: train, understand and use click-through-rate rankers of the RankMixer / RankElastor family.

Example:
    >>> import rankelastor
    >>> rankelastor.__all__
    ['ClickRanker', 'backtest', 'bundle_run', 'evaluate', 'export_run', 'infer', 'load_recipe', 'load_run', \
'make_ensemble', 'predict', 'predict_proba', 'prepare', 'train', 'train_ensemble', 'tune']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankelastor.backtesting.backtest import backtest
    from rankelastor.bundles.make import bundle_run
    from rankelastor.data.prepare import prepare
    from rankelastor.drafting.infer import infer
    from rankelastor.ensembles.make import make_ensemble
    from rankelastor.ensembles.train import train_ensemble
    from rankelastor.estimators.click_ranker import ClickRanker
    from rankelastor.evaluation.evaluate import evaluate
    from rankelastor.export.export_run import export_run
    from rankelastor.recipes.load import load_recipe
    from rankelastor.serving.predict import predict
    from rankelastor.serving.predict_proba import predict_proba
    from rankelastor.serving.serving_run import load_run
    from rankelastor.training.run import train
    from rankelastor.tuning.tune import tune

__version__ = "0.1.0"
__all__ = [
    "ClickRanker",
    "backtest",
    "bundle_run",
    "evaluate",
    "export_run",
    "infer",
    "load_recipe",
    "load_run",
    "make_ensemble",
    "predict",
    "predict_proba",
    "prepare",
    "train",
    "train_ensemble",
    "tune",
]

_HOMES = {
    "ClickRanker": "rankelastor.estimators.click_ranker",
    "backtest": "rankelastor.backtesting.backtest",
    "bundle_run": "rankelastor.bundles.make",
    "evaluate": "rankelastor.evaluation.evaluate",
    "export_run": "rankelastor.export.export_run",
    "infer": "rankelastor.drafting.infer",
    "load_recipe": "rankelastor.recipes.load",
    "load_run": "rankelastor.serving.serving_run",
    "make_ensemble": "rankelastor.ensembles.make",
    "predict": "rankelastor.serving.predict",
    "predict_proba": "rankelastor.serving.predict_proba",
    "prepare": "rankelastor.data.prepare",
    "train": "rankelastor.training.run",
    "train_ensemble": "rankelastor.ensembles.train",
    "tune": "rankelastor.tuning.tune",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the command line answers --help without loading torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'rankelastor' has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(_HOMES[name]), name)
