"""The types of requests, made from the schema of a run, so that the documentation of the service names the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import GenericAlias
from typing import Annotated, Any, NotRequired, cast, get_origin

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from rankelastor.data.encoder import RowEncoder
from rankelastor.data.kinds.spec import FeatureSpec
from rankelastor.errors import shorten
from rankelastor.service.refusals import Refusal

_STRICT = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)
_SCALAR = str | int | float | bool | None
_NUMBER = float | int | str | None
_LIST = list[str | int | float | None] | str | None
_MOST_ERRORS = 5
_PARTS_OF_PLACES = {"rows": 3, "candidates": 3, "context": 2}
"""How many parts name a column in each of these; behind them stand the types that its value could have had."""
Row = Mapping[str, Any]
"""One row: values by column."""


@dataclass(frozen=True)
class RequestTypes:
    """Reads the bodies of requests for one run.

    Attributes:
        encoder: the encoder of the run.
    """

    encoder: RowEncoder

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that each row must have."""
        return self.encoder.columns

    def read_score(self, body: bytes) -> tuple[list[Row], bool]:
        """Read the body of ``/v1/score``: the rows, and whether unseen fields are asked for.

        Raises:
            Refusal: the body is no such JSON.
        """
        values = _read(self.score_adapter, body)
        return values["rows"], values.get("name_unseen", False)

    def read_rank(self, body: bytes) -> tuple[Row, list[Row], bool]:
        """Read the body of ``/v1/rank``: the context, the candidates, and whether unseen fields are asked for.

        Raises:
            Refusal: the body is no such JSON.
        """
        values = _read(self.rank_adapter, body)
        return values["context"], values["candidates"], values.get("name_unseen", False)

    @cached_property
    def score_adapter(self) -> TypeAdapter[Any]:
        """The type of ``/v1/score``."""
        row = _typed_dict("Row", self._types)
        body = {"rows": _list_of(row), "name_unseen": NotRequired[bool]}
        return TypeAdapter(_typed_dict("ScoreRequest", body))

    @cached_property
    def rank_adapter(self) -> TypeAdapter[Any]:
        """The type of ``/v1/rank``: each column stands either in the context or in every candidate."""
        each: dict[str, Any] = {name: _optional(kind) for name, kind in self._types.items()}
        body = {
            "context": _typed_dict("Context", each),
            "candidates": _list_of(_typed_dict("Candidate", each)),
            "name_unseen": NotRequired[bool],
        }
        return TypeAdapter(_typed_dict("RankRequest", body))

    @cached_property
    def _types(self) -> dict[str, Any]:
        """The type of each column, from the kinds of the features that read it."""
        served: dict[str, list[FeatureSpec]] = {}
        for spec in self.encoder.manifest.features:
            for column in spec.columns:
                served.setdefault(column, []).append(spec)
        return {column: self._type(column, specs) for column, specs in served.items()}

    def _type(self, column: str, specs: list[FeatureSpec]) -> Any:
        read = {spec.reads for spec in specs if spec.column == column}
        kind = _LIST if "list" in read else _NUMBER if read == {"number"} else _SCALAR
        words = Field(description="; ".join(dict.fromkeys(spec.describe() for spec in specs)))
        described = cast("Any", Annotated)[kind, words]
        return described if column in self.columns else _optional(described)


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


def _optional(kind: Any) -> Any:
    return kind if get_origin(kind) is NotRequired else cast("Any", NotRequired)[kind]


def _typed_dict(name: str, members: Mapping[str, Any]) -> Any:
    return with_config(_STRICT)(TypedDict(name, dict(members)))  # type: ignore[operator]


def _read(adapter: TypeAdapter[Any], body: bytes) -> Any:
    try:
        values = adapter.validate_json(body)
    except ValidationError as error:
        raise Refusal(422, _explained(error)) from None
    except RecursionError:
        raise Refusal(422, "a body must be plain JSON, but is nested too deeply") from None
    # Each key has a colon behind it, so equally many colons as keys cannot hide a key that is given twice.
    if body.count(b":") != _num_keys(values):
        _refuse_repeated_keys(body)
    return values


def _num_keys(values: Mapping[str, Any]) -> int:
    rows = [*values.get("rows", ()), *values.get("candidates", ())]
    return len(values) + len(values.get("context", ())) + sum(map(len, rows))


def _refuse_repeated_keys(body: bytes) -> None:
    def different(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Refusal(422, f"a field must be given once, but {shorten(twice)} is given twice in one object")
        return found

    json.loads(body, object_pairs_hook=different)


def _explained(error: ValidationError) -> str:
    """Say where a body is wrong; what it holds is not repeated, but for short values."""
    found = error.errors(include_url=False, include_context=False)
    places: dict[str, str] = {}
    for each in found:
        parts = [str(part) for part in each["loc"]]
        place = ".".join(parts[: _PARTS_OF_PLACES.get(parts[0], 1)]) if parts else "the body"
        places.setdefault(place, each["msg"])
    said = [f"{place}: {message}" for place, message in list(places.items())[:_MOST_ERRORS]]
    more = f" and {len(places) - _MOST_ERRORS} more" if len(places) > _MOST_ERRORS else ""
    return f"a body must be as /docs says, but is not: {'; '.join(said)}{more}"
