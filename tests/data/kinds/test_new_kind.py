"""Adding a field kind takes one file in ``data/kinds`` and one line in its table."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import rankelastor

PREFIX_KIND = '''"""The kind ``prefix``: the first characters of a text, as a categorical feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from numpy.typing import NDArray
from pydantic import PositiveInt

from rankelastor.data.cells.texts import cell_texts
from rankelastor.data.features.vocabulary import Vocabulary
from rankelastor.data.kinds.cells import Cells, CellSource
from rankelastor.data.kinds.field import ColumnSettings, FeatureFit, Reads
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.vocabulary_rules import VocabularyRules
from rankelastor.data.kinds.spec import FeatureSpec, IdMeaning, VocabularyFile, meaning_of_values
from rankelastor.data.kinds.vocabulary_fit import VocabularyFeatureFit, VocabularyFit
from rankelastor.schema import CategoricalFeature


class PrefixField(ColumnSettings):
    """The first ``length`` characters of a text."""

    kind: Literal["prefix"]
    length: PositiveInt

    def plan(self, column: str) -> Iterator[PlannedPrefix]:
        yield PlannedPrefix(self.name or column, column, self.length)


@dataclass(frozen=True)
class PlannedPrefix:
    name: str
    column: str
    length: int
    kind: ClassVar[str] = "prefix"
    reads: ClassVar[Reads] = "distinct_texts"
    width: ClassVar[int] = 1

    @property
    def vocabulary(self) -> VocabularyRules:
        return VocabularyRules(may_be_shared=False)

    def parse(self, source: CellSource) -> Cells:
        return _parse(source, self.column, self.length)

    def fit(self, vocabulary: VocabularyFit | None) -> FeatureFit:
        assert vocabulary is not None
        return VocabularyFeatureFit(vocabulary, None, self._spec)

    def _spec(self, file: str, num_ids: int, _output: FeatureOutput, _vocabulary: Vocabulary) -> PrefixSpec:
        return PrefixSpec(name=self.name, column=self.column, length=self.length, num_ids=num_ids, vocabulary=file)


class PrefixSpec(FeatureSpec):
    kind: Literal["prefix"] = "prefix"
    length: int
    num_ids: int
    vocabulary: str

    @property
    def feature(self) -> CategoricalFeature:
        return CategoricalFeature(self.name, self.num_ids)

    @property
    def vocabulary_file(self) -> VocabularyFile:
        return VocabularyFile(self.vocabulary, self.num_ids, "value")

    def parse(self, source: CellSource) -> Cells:
        return _parse(source, self.column, self.length)

    def encode(self, cells: Cells) -> NDArray[Any]:
        return cells.values

    def describe(self) -> str:
        return f"prefix of {self.length}"

    def meaning(self, vocabulary: Vocabulary | None) -> IdMeaning:
        assert vocabulary is not None
        return meaning_of_values(vocabulary)


def _parse(source: CellSource, column: str, length: int) -> Cells:
    texts = cell_texts(source.rows, column, source.blanks)
    return Cells(source.numbering.number(texts.values.str.slice(0, length))[texts.codes])
'''

USE = """
import sys
from pathlib import Path
from rankelastor.data.encoder import RowEncoder
from rankelastor.data.prepare import prepare
from rankelastor.data.raw.rows import read_rows
from rankelastor.data.settings import DataSettings
from rankelastor.data_report.report import report_on

folder = Path(sys.argv[1])
text = "click,zip\\n1,94110\\n0,94105\\n1,10001\\n"
for split in ("train", "valid"):
    (folder / f"{split}.csv").write_text(text)
dataset = prepare(DataSettings.model_validate({
    "prepared": str(folder / "prepared"),
    "files": {"folder": str(folder), "train": "train.csv", "valid": "valid.csv"},
    "label": "click",
    "fields": [{"kind": "prefix", "column": "zip", "length": 2}],
}))
encoder = RowEncoder.load(dataset.folder)
(rows,) = read_rows(folder / "valid.csv", encoder.csv)
print(dataset.frame("train")["zip"].to_list(), encoder.encode(rows).categorical[:, 0].tolist())
print(dataset.manifest.features[0].describe(), report_on(dataset).ids["zip"].most_frequent[0].text)
"""


def test_a_new_kind_is_one_file_and_one_line_in_the_table(tmp_path: Path) -> None:
    package = tmp_path / "rankelastor"
    shutil.copytree(Path(rankelastor.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    kinds = package / "data" / "kinds"
    (kinds / "prefix.py").write_text(PREFIX_KIND)
    table = (kinds / "catalogue.py").read_text()
    entry = "    FieldKind(prefix.PrefixField, prefix.PrefixSpec),\n"
    table = table.replace("numeric, quantile, sequence", "numeric, prefix, quantile, sequence")
    table = table.replace(
        "    FieldKind(group.GroupField, None),\n", f"{entry}    FieldKind(group.GroupField, None),\n"
    )
    (kinds / "catalogue.py").write_text(table)
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", USE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[1, 1, 2] [1, 1, 2]", "prefix of 2 94"]
