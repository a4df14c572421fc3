"""A fixture that encodes one field from raw cells, by the code of `prepare` and by that of serving."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter

from rankelastor.data.features.file_names import FileNames
from rankelastor.data.interner import Interner
from rankelastor.data.kinds.catalogue import FieldSettings
from rankelastor.data.kinds.cells import CellSource, Numbering
from rankelastor.data.kinds.feature_output import FeatureOutput
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.data.kinds.vocabulary_fit import VocabularyFit
from rankelastor.data.raw.rows import RawRows

Encoded = tuple[FeatureSpec, NDArray[Any]]
EncodeField = Callable[..., list[Encoded]]


def rows_of(cells: Any) -> RawRows:
    return RawRows(pa.RecordBatch.from_pydict({"x": cells}), Path("log.csv"))


@pytest.fixture
def encode_field(tmp_path: Path) -> EncodeField:
    """Fit a field of column ``x`` on ``train``, encode ``cells`` as serving does, and check it on the train rows."""

    def encode(field: dict[str, Any], train: Any, cells: Any = None, blanks: tuple[str, ...] = ()) -> list[Encoded]:
        settings = TypeAdapter[Any](FieldSettings).validate_python({"column": "x"} | field)
        output = FeatureOutput(tmp_path, tmp_path / "vectors", FileNames(suffix=".npy"))
        encoded = []
        for feature in settings.plan("x"):
            interner, vocabulary = Interner(), None
            numbering = Numbering.none() if feature.vocabulary is None else Numbering.provisional(interner)
            parsed = feature.parse(CellSource(rows_of(train), blanks, numbering))
            if feature.vocabulary is not None:
                vocabulary = VocabularyFit(feature.vocabulary, interner, "x.parquet")
            fit = feature.fit(vocabulary)
            while not fit.done:
                fit.add(parsed)
                fit.end_pass()
            fitted = vocabulary.close() if vocabulary is not None else None
            spec = fit.finish(output)
            served = Numbering.none() if fitted is None else Numbering(fitted.ids, once_per_text=True)
            staged = parsed if fitted is None else parsed.translate(fitted.ids_of_codes(interner))
            again = spec.encode(spec.parse(CellSource(rows_of(train), blanks, served)))
            assert np.array_equal(spec.encode(staged), again), "prepare and serving encode alike"
            assert type(spec).model_validate_json(spec.model_dump_json()) == spec
            new = train if cells is None else cells
            encoded.append((spec, spec.encode(spec.parse(CellSource(rows_of(new), blanks, served)))))
        return encoded

    return encode
