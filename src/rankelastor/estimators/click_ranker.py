"""A ranker in scikit-learn's manner."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from rankelastor.bundles.make import BundleOptions, bundle_run
from rankelastor.ensembles.train import train_ensemble
from rankelastor.estimators.field_table import FieldTable
from rankelastor.estimators.notebook import NotebookProgress, in_notebook
from rankelastor.estimators.plan import Choices, Rows, draft_of, recipe_of, seed_of, write_rows
from rankelastor.estimators.rows import rows_like, rows_of_fit, with_both_labels
from rankelastor.estimators.stored import Stored
from rankelastor.estimators.tables import ColumnNames, TableError, as_table, has_names, require_fitted_columns
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.metrics.report import Metrics
from rankelastor.recipes.recipe import Recipe
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.training.run import train


class ClickRanker(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A click-through-rate ranker that is fitted on a table: the engine of the command line in scikit-learn's manner.

    Tables are frames of pandas, polars or Arrow, mappings of column names to lists, arrays, or paths of files. The kind
    of every field is inferred; ``fields_`` shows it with the reasons, and ``fields`` says otherwise. ``recipe_`` is the
    recipe that ``rankelastor train`` would run on the same rows, with the same numbers.

    Args:
        model: kind of the model, see ``rankelastor models``.
        label: the column to predict where ``fit`` gets no labels; None looks for it.
        positive: the value of the label column that counts as 1; None looks at it.
        fields: by column a kind such as ``"categorical"``, the settings of a field or of several, or None to leave the
            column out.
        embedding_dim: width of the embeddings; None leaves it to the library, as with all that follow.
        epochs: largest number of epochs.
        batch_size: examples per step.
        learning_rate: learning rate.
        settings: other settings by path, such as ``{"training.patience": 3, "model.num_blocks": 2}``; they come last.
        members: number of models with different seeds whose mean is taken.
        validation_fraction: share of the rows that are held out to stop by; not used with an ``eval_set``.
        random_state: seed of the split and of the training.
        folder: an empty or new folder for the rows, the prepared data and the run; None takes a temporary one, which is
            removed with the estimator.
        verbose: ``"auto"`` shows progress in notebooks; False shows none.

    Attributes:
        classes_: the two classes; column 1 of ``predict_proba`` belongs to the last.
        fields_: what became of each column, and why.
        recipe_: the recipe.
        result_: the result of the training, see ``RunResult``.
        run_: the loaded run.
        n_features_in_: number of columns of the table.
        feature_names_in_: their names, if the table had any.

    Example:
        >>> import polars as pl
        >>> log = pl.DataFrame({"click": [0, 1] * 50, "site": ["a", "b", "c", "d", "b"] * 20})
        >>> ranker = ClickRanker(epochs=1, random_state=1).fit(log, "click")
        >>> ranker.predict_proba(log.head(3)).shape, ranker.fields_.settings
        ((3, 2), [{'kind': 'categorical', 'column': 'site'}])
    """

    def __init__(
        self,
        model: str = "rankelastor",
        *,
        label: str | None = None,
        positive: object = None,
        fields: Mapping[str, object] | None = None,
        embedding_dim: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        settings: Mapping[str, object] | None = None,
        members: int = 1,
        validation_fraction: float = 0.1,
        random_state: Any = None,
        folder: str | Path | None = None,
        verbose: bool | str = "auto",
    ) -> None:
        self.model = model
        self.label = label
        self.positive = positive
        self.fields = fields
        self.embedding_dim = embedding_dim
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.settings = settings
        self.members = members
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.folder = folder
        self.verbose = verbose

    def fit(
        self,
        X: object,
        y: object = None,
        sample_weight: object = None,
        *,
        group: object = None,
        eval_set: object = None,
    ) -> Self:
        """Fit the ranker.

        Args:
            X: the table.
            y: labels of two classes, one per row; the name of their column in ``X``; None goes by ``label``.
            sample_weight: a weight per row, or the name of a column.
            group: what rows are ranked together, for gAUC: one value per row, or the name of a column; None looks for a
                column of users.
            eval_set: rows to stop by: a table with the label column, or a pair of a table and labels.

        Raises:
            TableError: the table, or labels, weights or groups are wrong.
            DataError: a column cannot be read, or nothing can be learned from the table.
            SettingsError: a parameter is wrong; the message names the setting.
            StorageError: the disk is full, or ``folder`` holds something.
        """
        if y is None and not has_names(X):
            raise TableError("an array requires y to be passed, but the target y is None; give labels, one per row")
        table = as_table(X)
        rows = rows_of_fit(table, y, label=self.label, positive=self.positive, weight=sample_weight, group=group)
        held_out = None if eval_set is None else self._held_out(rows, eval_set)
        draft = draft_of(rows)
        fields = FieldTable.of(draft, self.fields or {})
        if held_out is None and draft.split.value.kind == "random":
            rows, held_out = with_both_labels(rows, share=self.validation_fraction, seed=seed_of(self.random_state))
        folder = self._own_folder()
        files = write_rows(rows, held_out, folder)
        recipe = recipe_of(draft, rows, fields, self._choices(), files=files, prepared=folder / "prepared")
        self._set_columns(X, table, rows)
        self.fields_ = fields
        self.recipe_ = recipe
        self._train(recipe, folder / "run", rows)
        return self

    def predict_proba(self, X: object) -> NDArray[np.float64]:
        """Compute the probabilities of both classes for each row, float64 (row, 2), in the order of ``classes_``.

        Raises:
            TableError: a column is missing.
            DataError: a cell is wrong.
        """
        click = predict_proba(self.run, self._table(X))
        return np.stack([1 - click, click], axis=1)

    def decision_function(self, X: object) -> NDArray[np.float64]:
        """Compute the logit of the last class for each row, float64 (row,)."""
        click = np.clip(self.predict_proba(X)[:, 1], 1e-300, 1 - 1e-16)
        return np.log(click / (1 - click))

    def predict(self, X: object) -> NDArray[Any]:
        """Return the more probable class of each row."""
        is_click = self.predict_proba(X)[:, 1] > 0.5  # noqa: PLR2004 - half
        chosen: NDArray[Any] = self.classes_[is_click.astype(int)]
        return chosen

    def score(self, X: object, y: object = None, sample_weight: object = None) -> float:
        """Compute the AUC, which suits rare clicks better than accuracy; ``y`` as in ``fit``."""
        return self.evaluate(X, y, sample_weight=sample_weight).value("auc")

    def evaluate(self, X: object, y: object = None, *, sample_weight: object = None, group: object = None) -> Metrics:
        """Compute all metrics on labelled rows.

        Args:
            X: the table.
            y: labels; None if the table has the label column of the fit.
            sample_weight: a weight per row, or None.
            group: what rows are ranked together, if it was given beside the table in ``fit``.
        """
        table = self._table(X)
        rows = rows_like(self._fitted, table, y, weight=sample_weight, group=group)
        names = dict(zip([rows.weight, rows.group], [self._fitted.weight, self._fitted.group], strict=True))
        renamed = [names.get(name) or name for name in rows.table.column_names]
        found = rows.table.rename_columns(renamed)
        missing = self._fitted.weight
        if missing is not None and missing not in found.column_names:
            found = found.append_column(missing, pa.array(np.ones(found.num_rows)))
        return evaluate(self.run, on=found)

    def spectrum(self, X: object = None) -> RunSpectrum:
        """Measure the rank of the representations over rows, or over the held-out rows of the fit."""
        check_is_fitted(self)
        if X is not None:
            return measure_run(self.run.source, on=self._table(X))
        return measure_run(self.run.source, split="valid")

    def save(self, path: str | Path, *, options: BundleOptions | None = None, overwrite: bool = False) -> None:
        """Write the ranker to one file, which ``load`` and the command line read; see ``bundle_run``."""
        check_is_fitted(self)
        if self.run.bundle is not None:
            shutil.copyfile(self.run.bundle.source, path)
            return
        bundle_run(self.run.folder, path, options=options, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a bundle or a run folder as a fitted estimator.

        Raises:
            RunError: it is damaged, or was written by a newer version.
        """
        run = load_run(path)
        stored = Stored.read(run)
        ranker = cls(**{name: value for name, value in stored.params.items() if name in cls._get_param_names()})
        ranker._take(run, stored)
        return ranker

    @property
    def run(self) -> LoadedRun:
        """The loaded run."""
        check_is_fitted(self)
        return self.run_

    def _take(self, run: LoadedRun, stored: Stored) -> None:
        self.run_ = run
        self.recipe_ = run.recipe
        self.result_ = RunFolder(run.folder).result()
        self.classes_ = stored.classes
        self._columns = stored.columns
        self.n_features_in_ = len(stored.columns.names)
        if stored.columns.are_given:
            self.feature_names_in_ = np.asarray(stored.columns.names, dtype=object)
        data = run.recipe.data
        group = run.encoder.manifest.group
        positive = data.targets[0].label.positive
        self._fitted = Rows(pa.table({}), stored.label, positive, data.weight, group, stored.classes)

    def _set_columns(self, X: object, table: pa.Table, rows: Rows) -> None:
        names = tuple(name for name in table.column_names if name not in {rows.label, *rows.beside})
        columns = ColumnNames(names, are_given=has_names(X))
        params = {name: value for name, value in self.get_params(deep=False).items() if name != "folder"}
        self._stored = Stored(params, rows.classes, columns, rows.label)

    def _train(self, recipe: Recipe, folder: Path, rows: Rows) -> None:
        shown = NotebookProgress() if self.verbose == "auto" and in_notebook() else None
        if self.members > 1:
            seed = recipe.training.seed
            train_ensemble(recipe, seeds=range(seed, seed + self.members), folder=folder, progress=shown)
        else:
            train(recipe, folder=folder, observers=[] if shown is None else [shown], progress=shown)
        self._stored.write(folder)
        recipe = self.recipe_
        self._take(load_run(folder), self._stored)
        self.recipe_ = recipe
        self._fitted = Rows(pa.table({}), rows.label, rows.positive, rows.weight, rows.group, rows.classes)

    def _choices(self) -> Choices:
        short = {
            "model.embedding_dim": self.embedding_dim,
            "training.epochs": self.epochs,
            "training.batch_size": self.batch_size,
            "training.learning_rate": self.learning_rate,
        }
        return Choices(
            model=self.model,
            fields=self.fields or {},
            short=short,
            settings=self.settings or {},
            validation_fraction=self.validation_fraction,
            seed=seed_of(self.random_state),
        )

    def _held_out(self, rows: Rows, eval_set: object) -> Rows:
        table, labels = eval_set if isinstance(eval_set, tuple) else (eval_set, None)
        found = rows_like(rows, as_table(table), labels)
        for name in rows.beside:
            if name not in found.table.column_names:
                filler = np.ones(found.table.num_rows) if name == rows.weight else np.arange(found.table.num_rows)
                found = Rows(
                    found.table.append_column(name, pa.array(filler)),
                    found.label, found.positive, rows.weight, rows.group, found.classes, rows.beside,
                )  # fmt: skip
        return found

    def _own_folder(self) -> Path:
        if self.folder is not None:
            folder = Path(self.folder)
            folder.mkdir(parents=True, exist_ok=True)
            return folder.resolve()
        folder = Path(tempfile.mkdtemp(prefix="rankelastor-fit-"))
        self._place = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _table(self, X: object) -> pa.Table:
        check_is_fitted(self)
        table = as_table(X, expected=self._columns)
        require_fitted_columns(table, ColumnNames(self.run.encoder.columns, are_given=True))
        return table

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "run_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_place", "_stored", "_fitted", "_columns", "fields_", "recipe_", "result_", "run_"):
            state.pop(name, None)
        if not self.__sklearn_is_fitted__():
            return state
        with tempfile.TemporaryDirectory(prefix="rankelastor-") as folder:
            path = Path(folder) / "model.rank"
            self.save(path, options=BundleOptions(measure=False, with_examples=False))
            return state | {"bundle": path.read_bytes(), "fields_": self.__dict__.get("fields_")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        kept = dict(state)
        content, fields = kept.pop("bundle", None), kept.pop("fields_", None)
        super().__setstate__(kept)
        if content is None:
            return
        with tempfile.TemporaryDirectory(prefix="rankelastor-") as folder:
            path = Path(folder) / "model.rank"
            path.write_bytes(content)
            run = load_run(path)
            self._take(run, Stored.read(run))
        if fields is not None:
            self.fields_ = fields

    def _repr_html_(self) -> str:
        told = f"<pre>{escape(repr(self))}</pre>"
        if not self.__sklearn_is_fitted__():
            return told
        fields = (
            f"<details><summary>fields</summary>{self.fields_._repr_html_()}</details>"
            if hasattr(self, "fields_")
            else ""
        )
        return told + self.result_._repr_html_() + fields
