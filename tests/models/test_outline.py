from tests.models.test_cost import SCHEMA, SETTINGS

from rankelastor.models.outline import Part, outline


def find(part: Part, *names: str) -> Part:
    for name in names:
        part = next(inner for inner in part.parts if inner.name == name)
    return part


def test_the_outline_tells_shapes_for_one_example() -> None:
    whole = outline(SETTINGS, SCHEMA)
    assert find(whole, "embedding").output_shape == (2, 4)
    assert find(whole, "backbone", "blocks", "0", "mixing").output_shape == (2, 4)
    assert find(whole, "backbone", "head").output_shape == ()


def test_the_outline_reaches_the_gate_and_its_products() -> None:
    lift = find(outline(SETTINGS, SCHEMA), "backbone", "blocks", "0", "pffn", "ffn", "1", "lift")
    assert (lift.kind, lift.output_shape) == ("PerTokenLinear", (2, 40))


def test_parts_add_up() -> None:
    whole = outline(SETTINGS, SCHEMA)
    assert whole.num_parameters == sum(part.num_parameters for part in whole.parts)
