"""An ensemble's logits are the mean of its members'."""

import torch

from rankelastor.execution.lowering import Lowering
from rankelastor.models.build import build_ranker
from rankelastor.models.ensemble import EnsembleRanker
from rankelastor.models.mlp import MlpSettings
from rankelastor.models.ranker import Ranker
from rankelastor.models.rankmixer import RankMixerSettings
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

SCHEMA = FeatureSchema(
    (CategoricalFeature("site", 20), CategoricalFeature("item", 30), NumericFeature("price"), NumericFeature("age")),
    tasks=("click", "like"),
)


def batch() -> Batch:
    torch.manual_seed(3)
    return Batch(
        categorical=torch.randint(1, 20, (50, 2), dtype=torch.int32),
        numeric=torch.randn(50, 2),
        labels=None,
        group=None,
    )


def members() -> list[Ranker]:
    torch.manual_seed(1)
    mlp = MlpSettings(kind="mlp", embedding_dim=4, hidden_dims=(8,))
    mixer = RankMixerSettings.model_validate(
        {
            "kind": "rankmixer",
            "embedding_dim": 6,
            "num_tokens": 2,
            "token_dim": 4,
            "num_blocks": 1,
            "tokenizer": {"kind": "split"},
            "ffn": {"kind": "mlp", "hidden_dims": [8]},
        }
    )
    return [build_ranker(settings, SCHEMA).eval() for settings in (mlp, mixer, mixer)]


def test_the_logits_are_the_mean_of_members_of_any_model() -> None:
    rankers = members()
    expected = torch.stack([ranker(batch()).double() for ranker in rankers]).mean(dim=0)
    ensemble = EnsembleRanker(rankers).eval()
    assert torch.allclose(ensemble(batch()), expected, atol=1e-12)
    assert ensemble.num_members == 3


def test_each_member_may_have_a_shift_of_its_own() -> None:
    rankers = members()
    shifted = EnsembleRanker(rankers, logit_shifts=[3.0, 0.0, -1.5])(batch())
    assert torch.allclose(shifted, EnsembleRanker(rankers)(batch()) + 0.5, atol=1e-12)


def test_the_members_stand_side_by_side_before_the_mean() -> None:
    rankers = members()
    logits = EnsembleRanker(rankers).side_by_side(batch())
    assert logits.shape == (50, 6)
    assert torch.equal(logits[:, 2:4], rankers[1](batch()).double())


def test_kernels_compute_the_members_inside() -> None:
    ensemble = EnsembleRanker(members()).eval()
    lowering = Lowering(ensemble.network)
    with torch.inference_mode():
        lowered = lowering.current()(ensemble.embedding(batch()))
        assert torch.allclose(lowered, ensemble(batch()), atol=1e-5)
    assert lowering.is_lowered


def test_counts_are_those_of_all_members() -> None:
    rankers = members()
    assert EnsembleRanker(rankers).num_dense_parameters == sum(ranker.num_dense_parameters for ranker in rankers)


def test_one_member_is_itself() -> None:
    ranker = members()[1]
    assert torch.equal(EnsembleRanker([ranker])(batch()), ranker(batch()).double())
