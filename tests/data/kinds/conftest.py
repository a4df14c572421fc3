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

from rankelastor.data.building.field_plan import vocabulary_owner
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
        features = list(settings.plan("x"))
        rules = {feature.name: feature.vocabulary for feature in features}
        vocabularies: dict[str | None, VocabularyFit] = {}
        interners = {name: Interner() for name, own in rules.items() if own is not None and own.shares is None}
        parsed, encoded = {}, []
        for feature in features:
            owner = vocabulary_owner(feature)
            numbering = Numbering.none() if owner is None else Numbering.provisional(interners[owner])
            parsed[feature.name] = feature.parse(CellSource(rows_of(train), blanks, numbering))
        for name, interner in interners.items():
            own = rules[name]
            assert own is not None
            vocabularies[name] = VocabularyFit(own, interner, "x.parquet")
        fits = {feature.name: feature.fit(vocabularies.get(vocabulary_owner(feature))) for feature in features}
        for name, fit in fits.items():
            while not fit.done:
                fit.add(parsed[name])
                fit.end_pass()
        for vocabulary in vocabularies.values():
            vocabulary.close()
        for feature in features:
            spec, staged, served = fits[feature.name].finish(output), parsed[feature.name], Numbering.none()
            owner = vocabulary_owner(feature)
            if owner is not None and feature.vocabulary is not None:
                fitted = vocabularies[owner].with_blank(feature.vocabulary.blank)
                served = Numbering(fitted.ids, once_per_text=True)
                staged = staged.translate(vocabularies[owner].ids_of_codes(feature.vocabulary.blank))
            again = spec.encode(spec.parse(CellSource(rows_of(train), blanks, served)))
            assert np.array_equal(spec.encode(staged), again), "prepare and serving encode alike"
            assert type(spec).model_validate_json(spec.model_dump_json()) == spec
            new = train if cells is None else cells
            encoded.append((spec, spec.encode(spec.parse(CellSource(rows_of(new), blanks, served)))))
        return encoded

    return encode
