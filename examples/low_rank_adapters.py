"""Adapt a trained ranker with low-rank adapters (LoRA): a subclass of a layer, put into a finished model.

The kernels stand for layers of exactly the types that they were written for. A subclass keeps its own forward, with
kernels and without: nothing has to be registered or switched off.

Run it: python examples/low_rank_adapters.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rankelastor.config.execution import ExecutionSettings
from rankelastor.config.training import TrainingSettings
from rankelastor.evaluation.scoring import Scorer
from rankelastor.models.mixer import MixerNetwork
from rankelastor.models.ranker import Ranker
from rankelastor.nn.block import Block
from rankelastor.nn.embedding.field_embedding import FieldEmbedding
from rankelastor.nn.ffn.glu import PerTokenGlu
from rankelastor.nn.head import MlpHead
from rankelastor.nn.mixing.full import FullMixing
from rankelastor.nn.per_token import PerTokenLinear
from rankelastor.nn.tokenizer.joint import JointTokenizer
from rankelastor.schema import Batch
from rankelastor.training.step import Stepper

NUM_TOKENS, TOKEN_DIM, NUM_FIELDS, EMBEDDING_DIM, NUM_IDS = 3, 8, 4, 6, 50


class AdaptedPerTokenLinear(PerTokenLinear):
    """A per-token linear layer whose weights stay as they are, plus a low-rank map that learns: x W + b + (x A) B.

    Source: LoRA, arXiv 2106.09685, with an adapter per token.
    """

    def __init__(self, layer: PerTokenLinear, *, rank: int) -> None:
        num_tokens, in_dim, out_dim = layer.weight.shape
        super().__init__(num_tokens=num_tokens, in_dim=in_dim, out_dims=layer.out_dims)
        self.weight, self.bias = layer.weight, layer.bias
        self.weight.requires_grad_(requires_grad=False)
        self.bias.requires_grad_(requires_grad=False)
        self.down = nn.Parameter(torch.randn(num_tokens, in_dim, rank) / in_dim**0.5)
        self.up = nn.Parameter(0.1 * torch.randn(num_tokens, rank, out_dim))  # published: zero at first
        self.num_calls = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the layer and its adapter to each token."""
        self.num_calls += 1
        return super().forward(tokens) + (tokens.transpose(0, 1) @ self.down @ self.up).transpose(0, 1)


def fresh_ranker() -> Ranker:
    """Build a small RankElastor."""
    block = Block(
        mixing=FullMixing(num_tokens=NUM_TOKENS, token_dim=TOKEN_DIM),
        ffn=PerTokenGlu(num_tokens=NUM_TOKENS, token_dim=TOKEN_DIM, hidden_dims=[12]),
        token_dim=TOKEN_DIM,
    )
    tokenizer = JointTokenizer(
        num_fields=NUM_FIELDS, embedding_dim=EMBEDDING_DIM, num_tokens=NUM_TOKENS, token_dim=TOKEN_DIM
    )
    head = MlpHead(num_tokens=NUM_TOKENS, token_dim=TOKEN_DIM)
    embedding = FieldEmbedding(num_ids=[NUM_IDS] * NUM_FIELDS, num_numeric=0, embedding_dim=EMBEDDING_DIM)
    nn.init.normal_(embedding.table[1:].data)
    return Ranker(embedding=embedding, network=MixerNetwork(tokenizer=tokenizer, blocks=[block], head=head))


def adapt(ranker: Ranker, *, rank: int = 2) -> list[AdaptedPerTokenLinear]:
    """Put an adapter into every per-token linear layer of the network, in place; returns the adapted layers."""
    adapted = []
    for module in list(ranker.network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is PerTokenLinear:
                layer = AdaptedPerTokenLinear(child, rank=rank)
                setattr(module, name, layer)
                adapted.append(layer)
    return adapted


def some_clicks(seed: int, *, num_examples: int = 256) -> Batch:
    """Draw examples whose label depends on their first two ids."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(1, NUM_IDS, (num_examples, NUM_FIELDS), generator=generator, dtype=torch.int32)
    labels = ((ids[:, :2].sum(1) % 3) == 0).float().unsqueeze(1)
    return Batch(categorical=ids, numeric=torch.zeros(num_examples, 0), labels=labels, group=None)


def train(ranker: Ranker, *, num_steps: int) -> list[float]:
    """Train for some steps; returns their losses."""
    settings = TrainingSettings(batch_size=256)
    stepper = Stepper(ranker.train(), settings.optimiser, settings.execution, batch_size=settings.batch_size)
    losses = [float(stepper.step(some_clicks(seed))) for seed in range(num_steps)]
    stepper.close()
    return losses


def score(ranker: Ranker, batch: Batch) -> list[float]:
    """Click probabilities of a batch."""
    scorer = Scorer(ranker.eval(), ExecutionSettings(), batch_size=len(batch.categorical))
    probabilities: list[float] = scorer(batch).flatten().tolist()
    scorer.close()
    return probabilities


def main() -> None:
    """Train a ranker, adapt it, train the adapters, and score."""
    torch.manual_seed(1)
    ranker = fresh_ranker()
    print(f"trained: loss {train(ranker, num_steps=20)[-1]:.4f}")
    before = score(ranker, some_clicks(99))
    layers = adapt(ranker)
    frozen = [layer.weight.clone() for layer in layers]
    print(f"adapted {len(layers)} layers: loss {train(ranker, num_steps=20)[-1]:.4f}")
    after = score(ranker, some_clicks(99))
    unchanged = all(torch.equal(layer.weight, weight) for layer, weight in zip(layers, frozen, strict=True))
    print(f"each adapter ran {min(layer.num_calls for layer in layers)} times or more; weights unchanged: {unchanged}")
    print(f"the first probability was {before[0]:.4f} and is {after[0]:.4f}")


if __name__ == "__main__":
    main()
