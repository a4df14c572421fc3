"""Find an experiment of FuxiCTR in a folder of settings: the model's and the data set's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.recipes.plain_yaml import read_plain_yaml
from rankelastor.suggestions import did_you_mean

_BASE = "Base"
_LISTED = 20


@dataclass(frozen=True)
class Experiment:
    """Settings of one experiment, with those of ``Base``.

    If the data set repeats a setting of the model, its value holds for both, as in FuxiCTR.
    """

    expid: str
    dataset_id: str
    model: Mapping[str, Any]
    dataset: Mapping[str, Any]


def read_experiment(folder: str | Path, expid: str) -> Experiment:
    """Read an experiment by its id from ``model_config.yaml`` and ``dataset_config.yaml``.

    As in FuxiCTR, each may be one file in the folder, or a folder (``model_config/*.yaml``) of several.

    Raises:
        SettingsError: files are missing or are not YAML, or there is no such experiment or data set.
    """
    folder = Path(folder)
    models = _entries(folder, "model_config")
    if expid == _BASE or expid not in models:
        raise SettingsError(_unknown(f"the experiment must be in {folder}", expid, models))
    model = {**models.get(_BASE, {}), **models[expid]}
    dataset_id = model.get("dataset_id")
    if dataset_id is None:
        raise SettingsError(f"{expid} must name its data set, but has no dataset_id; add one to {folder}/model_config")
    datasets = _entries(folder, "dataset_config")
    if dataset_id not in datasets:
        raise SettingsError(_unknown(f"dataset_id of {expid} must be in {folder}/dataset_config", dataset_id, datasets))
    dataset = datasets[dataset_id]
    repeated = {key: value for key, value in dataset.items() if key in model}
    return Experiment(expid, str(dataset_id), model | repeated, dataset)


def _entries(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Read all named settings of one kind; if a name is repeated, the first file is used."""
    single = folder / f"{name}.yaml"
    files = [single] if single.is_file() else sorted((folder / name).glob("*.yaml"))
    if not files:
        raise SettingsError(
            f"{folder} must hold {name}.yaml or {name}/*.yaml, but holds neither; name FuxiCTR's folder of settings"
        )
    entries: dict[str, dict[str, Any]] = {}
    for file in files:
        for key, values in read_plain_yaml(file).items():
            if isinstance(values, dict):
                entries.setdefault(str(key), values)
    return entries


def _unknown(rule: str, given: str, known: Iterable[str]) -> str:
    names = sorted(name for name in known if name != _BASE)
    near = did_you_mean(str(given), names)
    hint = f" {near}" if near else ""
    more = f", ... ({len(names) - _LISTED} more)" if len(names) > _LISTED else ""
    return f"{rule}, but {given!r} was given;{hint} known are {', '.join(names[:_LISTED])}{more}"


def experiments_in(folder: str | Path) -> tuple[str, ...]:
    """List the experiments of a folder of settings by their ids, in order of name.

    Raises:
        SettingsError: the folder holds no settings of models, or files that are not YAML.
    """
    return tuple(sorted(name for name in _entries(Path(folder), "model_config") if name != _BASE))
