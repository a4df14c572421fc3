from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Gt, MinLen
from pydantic import ValidationError
from torch import nn

from rankelastor.models.layer_settings import fields_of, settings_class


class Layer(nn.Module):
    """Does a thing.

    And this is a second paragraph.

    Args:
        size: given by the model.
        rank: of something, described
            on two lines.
        name: which one.
    """

    def __init__(
        self,
        *,
        size: int,
        rank: Annotated[int, Gt(0)],
        name: Literal["a", "b"] = "a",
        widths: Annotated[Sequence[Annotated[int, Gt(0)]], MinLen(1)] = (3,),
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__()
        del size, rank, name, widths, groups


LayerSettings: Any = settings_class(Layer, kind="layer", fields=fields_of(Layer, given=["size"]))


def test_settings_are_the_arguments_that_the_model_does_not_give() -> None:
    assert list(LayerSettings.model_fields) == ["kind", "rank", "name", "widths", "groups"]
    assert LayerSettings(kind="layer", rank=2).model_dump() == {
        "kind": "layer",
        "rank": 2,
        "name": "a",
        "widths": (3,),
        "groups": None,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Field required"),
        ({"rank": 0}, "greater than 0"),
        ({"rank": 1, "name": "c"}, "'a' or 'b'"),
        ({"rank": 1, "widths": []}, "at least 1 item"),
        ({"rank": 1, "widths": [0]}, "greater than 0"),
        ({"rank": 1, "size": 3}, "Extra inputs"),
        ({"rank": 1, "kind": "other"}, "'layer'"),
    ],
    ids=str,
)
def test_ranges_of_the_signature_hold(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        LayerSettings.model_validate({"kind": "layer"} | values)


def test_settings_are_frozen_and_compare_by_value() -> None:
    made = LayerSettings(kind="layer", rank=1, widths=[4, 5])
    assert made == LayerSettings(kind="layer", rank=1, widths=(4, 5))
    with pytest.raises(ValidationError, match="frozen"):
        made.rank = 2


def test_descriptions_come_from_the_docstring() -> None:
    schema = LayerSettings.model_json_schema()
    assert LayerSettings.__name__ == "LayerSettings"
    assert schema["description"] == "Does a thing."
    assert schema["properties"]["rank"]["description"] == "Of something, described on two lines."
    assert schema["properties"]["name"]["description"] == "Which one."
