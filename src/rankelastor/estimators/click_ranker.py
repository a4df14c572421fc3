"""A ranker in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from rankelastor.bundles.make import BundleOptions
from rankelastor.estimators.fit_folder import FitFolder
from rankelastor.estimators.fitted import Fitted
from rankelastor.estimators.notebook import NotebookProgress, in_notebook
from rankelastor.estimators.plan import Choices, Rows, seed_of
from rankelastor.estimators.rows import columns_of_fit, held_out_rows, rows_of_fit
from rankelastor.estimators.stored import Stored
from rankelastor.estimators.tables import ColumnNames, TableError, as_table, has_names
from rankelastor.estimators.training import train_rows
from rankelastor.metrics.report import Metrics
from rankelastor.runs.load import load_run
from rankelastor.runs.run_folder import RunFolder
from rankelastor.serving.predict_proba import predict_proba
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum


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
        folder: an empty or new folder for the rows, the prepared data and the run of one fit; None takes a temporary
            one for each fit, which is removed with the estimator or by its next fit.
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
        held_out = None if eval_set is None else held_out_rows(rows, eval_set)
        stored = self._stored(columns_of_fit(table, rows, are_given=has_names(X)), rows)
        shown = NotebookProgress() if self.verbose == "auto" and in_notebook() else None
        place = FitFolder(self.folder)
        done = train_rows(rows, held_out, self._choices(), stored, folder=place.make, progress=shown)
        self._take(done.fitted)
        self._place = place  # and lets go of the place of the fit before
        self.fields_, self.recipe_ = done.fields, done.recipe
        return self

    def predict_proba(self, X: object) -> NDArray[np.float64]:
        """Compute the probabilities of both classes for each row, float64 (row, 2), in the order of ``classes_``.

        Raises:
            TableError: a column is missing.
            DataError: a cell is wrong.
        """
        fitted = self._fitted
        click = predict_proba(fitted.run, fitted.table(X))
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
            y: labels, which count before a label column of the table; None takes the label column of the fit.
            sample_weight: a weight per row, or None.
            group: what rows are ranked together, if it was given beside the table in ``fit``.
        """
        return self._fitted.evaluate(X, y, sample_weight=sample_weight, group=group)

    def spectrum(self, X: object = None) -> RunSpectrum:
        """Measure the rank of the representations over rows, by default the held-out rows of the fit.

        A ranker that was loaded from a bundle is measured over its example rows by default.

        Raises:
            TableError: there are no such rows, or a column is missing.
        """
        return self._fitted.spectrum(X)

    def save(self, path: str | Path, *, options: BundleOptions | None = None, overwrite: bool = False) -> None:
        """Write the ranker to one file, which ``load`` and the command line read; see ``bundle_run``."""
        self._fitted.save(path, options=options, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a bundle or a run folder as a fitted estimator.

        Raises:
            RunError: it is damaged, was written by a newer version, or has several labels.
        """
        fitted = Fitted.of(load_run(path))
        known = cls._get_param_names()
        ranker = cls(**{name: value for name, value in fitted.stored.params.items() if name in known})
        ranker._take(fitted)
        return ranker

    @property
    def _fitted(self) -> Fitted:
        check_is_fitted(self)
        return self._fit

    def _take(self, fitted: Fitted) -> None:
        columns = fitted.stored.columns
        self._fit = fitted
        self.run_ = fitted.run
        self.recipe_ = fitted.run.recipe
        self.result_ = RunFolder(fitted.run.folder).result()
        self.classes_ = fitted.stored.classes
        self.n_features_in_ = len(columns.names)
        if columns.are_given:
            self.feature_names_in_ = np.asarray(columns.names, dtype=object)

    def _stored(self, columns: ColumnNames, rows: Rows) -> Stored:
        params = {name: value for name, value in self.get_params(deep=False).items() if name != "folder"}
        return Stored(params, rows.classes, columns, rows.label)

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
            members=self.members,
        )

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
        for name in ("_place", "_fit", "fields_", "recipe_", "result_", "run_"):
            state.pop(name, None)
        if not self.__sklearn_is_fitted__():
            return state
        return state | {"bundle": self._fit.to_bytes(), "fields_": self.__dict__.get("fields_")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        kept = dict(state)
        content, fields = kept.pop("bundle", None), kept.pop("fields_", None)
        super().__setstate__(kept)
        if content is not None:
            self._take(Fitted.from_bytes(content))
        if fields is not None:
            self.fields_ = fields

    def _repr_html_(self) -> str:
        shown = [f"<pre>{escape(repr(self))}</pre>"]
        if self.__sklearn_is_fitted__():
            shown.append(self.result_._repr_html_())
        if hasattr(self, "fields_"):
            shown.append(f"<details><summary>fields</summary>{self.fields_._repr_html_()}</details>")
        return "".join(shown)
