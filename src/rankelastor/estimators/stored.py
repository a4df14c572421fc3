"""What an estimator stores beside its run, so that a bundle can be loaded as an estimator again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rankelastor.errors import RunError, shorten
from rankelastor.estimators.tables import ColumnNames
from rankelastor.runs.load import LoadedRun
from rankelastor.storage import whole_file

FILE_NAME = "estimator.json"


@dataclass(frozen=True)
class Stored:
    """Parameters, classes and columns of a fitted estimator.

    Attributes:
        params: its parameters, those that JSON can hold.
        classes: the two classes, that of label 1 last.
        columns: the columns of the fit.
        label: name of the label column.
    """

    params: Mapping[str, Any]
    classes: NDArray[Any]
    columns: ColumnNames
    label: str

    def write(self, folder: Path) -> None:
        """Write ``estimator.json`` into a run folder.

        Raises:
            StorageError: the file cannot be written.
        """
        values = {
            "params": {name: value for name, value in self.params.items() if _is_plain(value)},
            "classes": self.classes.tolist(),
            "columns": list(self.columns.names),
            "columns_are_given": self.columns.are_given,
            "label": self.label,
        }
        with whole_file(folder / FILE_NAME) as temporary:
            temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, run: LoadedRun) -> Self:
        """Read it; of a run that the command line trained it is what the run says.

        Raises:
            RunError: the file is damaged.
        """
        path = run.folder / FILE_NAME
        if not path.is_file():
            label = run.recipe.data.targets[0].label
            return cls({}, np.array([0, 1]), ColumnNames(run.encoder.columns, are_given=True), label.column)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            names = ColumnNames(tuple(map(str, values["columns"])), are_given=bool(values["columns_are_given"]))
            return cls(dict(values["params"]), np.asarray(values["classes"]), names, str(values["label"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise RunError(f"{path} must hold an estimator, but {shorten(error)}; restore it from a copy") from None


def _is_plain(value: object) -> bool:
    try:
        return bool(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return False
