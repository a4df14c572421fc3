import torch
from tests.models.every_model import small

from rankelastor.models.cost import cost_of
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.schema import CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema((CategoricalFeature("site", 11), NumericFeature("price")))
SETTINGS = RankElastorSettings.model_validate(
    {
        "kind": "rankelastor",
        "embedding_dim": 4,
        "num_tokens": 2,
        "token_dim": 4,
        "num_blocks": 1,
        "tokenizer": {"kind": "split"},
        "ffn": {"kind": "glu", "hidden_dims": [4], "expansion": 3},
        "head": {"kind": "mean"},
    }
)


def test_parameters_and_flops_by_hand() -> None:
    cost = cost_of(SETTINGS, SCHEMA)
    tokenizer = 8 + (4 * 4 + 4)
    mixing = 8 + (8 * 8 + 8)
    lift, reduce, last = 4 * 40 + 40, 12 * 4 + 4, 4 * 4 + 4
    ffn = 2 * (4 + lift + reduce + last)
    assert cost.dense_parameters == tokenizer + mixing + 4 + ffn
    assert cost.embedding_parameters == (1 + 10) * 4 + 4
    products = 2 * (4 * 4) + 8 * 8 + 2 * (4 * 40 + 12 * 4 + 4 * 4)
    assert cost.flops_per_example == 2 * products
    # The backward pass has two products per product: for the gradients of its weights and of its input.
    assert cost.training_flops_per_example == 3 * 2 * products


def test_a_huge_model_is_counted_without_memory() -> None:
    schema = FeatureSchema((CategoricalFeature("site", 10**12), NumericFeature("price")))
    assert cost_of(SETTINGS, schema).embedding_parameters == 10**12 * 4 + 4


def test_counting_leaves_the_global_generator_as_it_is() -> None:
    before = torch.get_rng_state()
    cost_of(small("mlp", dropout=0.5), SCHEMA)
    assert torch.equal(torch.get_rng_state(), before)
