import pytest
import torch

from rankelastor.nn.embedding.pretrained import PretrainedEmbedding

VECTORS = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])


def embedding(*, trained: bool) -> PretrainedEmbedding:
    embed = PretrainedEmbedding(num_ids=3, dim=2, embedding_dim=3, trained=trained)
    embed.set_vectors(VECTORS)
    return embed


def test_vectors_are_mapped_and_padding_is_zero() -> None:
    embed = embedding(trained=False)
    out = embed(torch.tensor([[0, 2]]))
    assert torch.allclose(out[0, 1], embed.projection.weight @ VECTORS[2])
    assert out[0, 0].abs().sum() == 0


@pytest.mark.parametrize("trained", [False, True])
def test_only_trained_vectors_learn_and_both_stand_in_the_weights(trained: bool) -> None:
    embed = embedding(trained=trained)
    embed(torch.tensor([[0, 2]])).sum().backward()
    assert torch.equal(embed.state_dict()["vectors"], VECTORS)
    assert [name for name, _ in embed.named_parameters()] == [*(["vectors"] * trained), "projection.weight"]
    if trained:
        assert embed.vectors.grad is not None
        assert embed.vectors.grad.abs().sum(dim=1).tolist()[:2] == [0.0, 0.0]
        assert embed.vectors.grad[2].abs().sum() > 0
