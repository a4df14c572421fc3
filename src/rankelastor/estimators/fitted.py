"""A ranker that is fitted: it takes tables like those of the fit, evaluates them, and becomes a file or bytes."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from rankelastor.bundles.make import BundleOptions, bundle_run, refuse_target
from rankelastor.errors import RunError
from rankelastor.estimators.plan import Rows
from rankelastor.estimators.rows import rows_like
from rankelastor.estimators.stored import Stored
from rankelastor.estimators.tables import ColumnNames, TableError, as_table, require_fitted_columns, with_column
from rankelastor.evaluation.evaluate import evaluate
from rankelastor.metrics.report import Metrics
from rankelastor.runs.load import LoadedRun, load_run
from rankelastor.spectrum.runs.measure_run import measure_run
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.storage import whole_file


@dataclass(frozen=True)
class Fitted:
    """A loaded run with what an estimator knows of its fit.

    Attributes:
        run: the run.
        stored: parameters, classes and columns.
        rows: the rows of the fit without their values: names of label, weight and group, and the classes.
    """

    run: LoadedRun
    stored: Stored
    rows: Rows

    @classmethod
    def of(cls, run: LoadedRun) -> Self:
        """Take a run as its folder or bundle describes it.

        Raises:
            RunError: it has several labels, or its folder is damaged.
        """
        tasks = run.encoder.schema.tasks
        if len(tasks) > 1:
            raise RunError(
                f"a click ranker must have one label, but {run.source} has {len(tasks)} ({', '.join(tasks)}); try "
                f"rankelastor.load_run({str(run.source)!r}).predict_proba(frame), which gives a column for each"
            )
        stored, data = Stored.read(run), run.recipe.data
        positive, group = data.targets[0].label.positive, run.encoder.manifest.group
        return cls(run, stored, Rows(pa.table({}), stored.label, positive, data.weight, group, stored.classes))

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Load what ``to_bytes`` gave."""
        with tempfile.TemporaryDirectory(prefix="rankelastor-") as folder:
            path = Path(folder) / "model.rank"
            path.write_bytes(content)
            return cls.of(load_run(path))

    def to_bytes(self) -> bytes:
        """Return a bundle without example rows."""
        bundle = self.run.bundle
        has_examples = bundle is None or bundle.example_rows is not None
        options = BundleOptions(measure=False, with_examples=False) if has_examples else None
        with tempfile.TemporaryDirectory(prefix="rankelastor-") as folder:
            path = Path(folder) / "model.rank"
            self.save(path, options=options)
            return path.read_bytes()

    def save(self, path: str | Path, *, options: BundleOptions | None = None, overwrite: bool = False) -> None:
        """Write a bundle, see ``bundle_run``; without options, a bundle that was loaded is written as it was.

        Raises:
            StorageError: the file exists, and may not be replaced.
        """
        bundle = self.run.bundle
        if bundle is None:
            bundle_run(self.run.folder, path, options=options, overwrite=overwrite)
        elif options is None:
            refuse_target(Path(path), overwrite=overwrite)
            with whole_file(Path(path)) as temporary:
                bundle.write(temporary)
        else:
            rows = bundle.example_rows if options.with_examples else None
            bundle_run(self.run.folder, path, rows=rows, options=options, overwrite=overwrite)

    def spectrum(self, given: object) -> RunSpectrum:
        """Measure the rank of the representations over rows; None takes those held out, or those in a bundle.

        Raises:
            TableError: a bundle without example rows needs rows.
        """
        if given is not None:
            return measure_run(self.run.folder, on=self.table(given))
        if self.run.bundle is None:
            return measure_run(self.run.folder, split="valid")
        rows = self.run.bundle.example_rows
        if rows is None:
            raise TableError(
                "a ranker that holds no rows must be given some to be measured, but X is None; try rows of the log"
            )
        return measure_run(self.run.folder, on=rows)

    def table(self, given: object) -> pa.Table:
        """Take a table of rows to score.

        Raises:
            TableError: a column is missing.
        """
        table = as_table(given, expected=self.stored.columns)
        require_fitted_columns(table, ColumnNames(self.run.encoder.columns, are_given=True))
        return table

    def evaluate(self, given: object, y: object, *, sample_weight: object = None, group: object = None) -> Metrics:
        """Compute all metrics on labelled rows; weights and groups that the fit had may be left out.

        What is given beside the table takes the place of its columns of the same names.

        Raises:
            TableError: a column is missing, or labels do not fit the rows.
        """
        rows = rows_like(self.rows, self.table(given), y, weight=sample_weight, group=group)
        table, weight = rows.table, self.rows.weight
        for found, name in ((rows.weight, weight), (rows.group, self.rows.group)):
            if found is not None and name is not None and found != name:
                if name not in table.column_names or not table[name].equals(rows.table[found]):
                    self._refuse_feature(name)
                table = with_column(table, name, rows.table[found])
        if weight is not None and weight not in table.column_names:
            table = table.append_column(weight, pa.array(np.ones(table.num_rows)))
        return evaluate(self.run, on=table)

    def _refuse_feature(self, name: str) -> None:
        readers = [spec.name for spec in self.run.encoder.manifest.features if name in spec.columns]
        if readers:
            raise TableError(
                f"weights and groups must not change a feature, but column {name!r} of the fit is read by "
                f"{', '.join(readers)} too; leave them out, or change the column"
            )
