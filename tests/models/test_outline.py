from tests.models.test_cost import SCHEMA, SETTINGS

from rankelastor.models.mlp import MlpSettings
from rankelastor.models.outline import OutlineNode, outline, point_shapes


def find(part: OutlineNode, *names: str) -> OutlineNode:
    for name in names:
        part = next(inner for inner in part.parts if inner.name == name)
    return part


def test_the_outline_tells_shapes_for_one_example() -> None:
    whole = outline(SETTINGS, SCHEMA)
    assert find(whole, "embedding").output_shape == (2, 4)
    assert find(whole, "network", "blocks", "0", "mixing").output_shape == (2, 4)
    assert find(whole, "network", "head").output_shape == (1,)


def test_the_outline_reaches_the_gate_and_its_products() -> None:
    lift = find(outline(SETTINGS, SCHEMA), "network", "blocks", "0", "pffn", "ffn", "layers", "0", "gate", "lift")
    assert (lift.kind, lift.output_shape) == ("PerTokenLinear", (2, 40))


def test_parts_add_up() -> None:
    whole = outline(SETTINGS, SCHEMA)
    assert whole.num_parameters == sum(part.num_parameters for part in whole.parts)


def test_points_have_the_shape_of_the_token_matrices() -> None:
    shapes = point_shapes(SETTINGS, SCHEMA)
    assert shapes == dict.fromkeys(["fields", "tokens", "block0.mixing", "block0.pffn"], (2, 4))


def test_a_model_without_tokens_has_an_outline_and_its_fields_as_only_point() -> None:
    settings = MlpSettings(kind="mlp", embedding_dim=4, hidden_dims=(5,))
    assert find(outline(settings, SCHEMA), "network", "mlp", "layers", "0").output_shape == (5,)
    assert point_shapes(settings, SCHEMA) == {"fields": (2, 4)}
