"""The baseline: rankers in the style of the code published with arXiv 2605.23191.

One embedding table per field, one module per token in a Python loop, norms from elementary operations, L2 of all
embedding rows through autograd, dense Adam, gradients clipped at 10, fp32, PyTorch's default allocator. It is an
independent implementation from the paper's description, with the parameter names that ``interop/published.py`` reads,
so that weights can be copied.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.mixer import MixerSettings
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


class ElementaryRMSNorm(nn.Module):
    """RMSNorm from elementary operations."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Compute ``x / sqrt(mean(x^2) + 1e-12) * gamma``."""
        return x / torch.sqrt(torch.mean(x**2, dim=-1, keepdim=True) + 1e-12) * self.gamma


class TablePerField(nn.Module):
    """One table per categorical field, one vector per numeric field."""

    def __init__(self, schema: FeatureSchema, embedding_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.columns: list[tuple[str, int]] = []
        for feature in schema.features:
            if isinstance(feature, CategoricalFeature):
                self.layers.append(nn.Embedding(feature.num_ids, embedding_dim, padding_idx=0))
                self.columns.append(("categorical", schema.categorical.index(feature)))
            elif isinstance(feature, NumericFeature):
                self.layers.append(nn.Linear(1, embedding_dim, bias=False))
                self.columns.append(("numeric", schema.numeric.index(feature)))
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=1e-4)

    def forward(self, batch: Batch) -> Tensor:
        """Embed field by field and stack to (batch, field, embedding_dim)."""
        embedded = []
        for layer, (kind, column) in zip(self.layers, self.columns, strict=True):
            values = (
                batch.categorical[:, column].long() if kind == "categorical" else batch.numeric[:, column : column + 1]
            )
            embedded.append(layer(values))
        return torch.stack(embedded, dim=1)

    def penalty(self, strength: float) -> Tensor:
        """Compute (strength / 2) * the sum of squares of all rows, with gradients."""
        total = torch.zeros(())
        for layer in self.layers:
            if isinstance(layer, nn.Embedding):
                total = total + strength / 2 * torch.norm(layer.weight, 2) ** 2
        return total


class GatedUnit(nn.Module):
    """((S2 x + GELU(W1 x)) * (W2 x)) W3 + S1 x, with one linear module per map."""

    def __init__(self, dim: int, inner_dim: int) -> None:
        super().__init__()
        self.fc_lift1, self.fc_lift2 = nn.Linear(dim, inner_dim), nn.Linear(dim, inner_dim)
        self.skip2, self.skip1 = nn.Linear(dim, inner_dim), nn.Linear(dim, dim)
        self.fc_reduce = nn.Linear(inner_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the formula of the class to the last axis."""
        gated: Tensor = self.fc_reduce((self.skip2(x) + functional.gelu(self.fc_lift1(x))) * self.fc_lift2(x))
        skipped: Tensor = self.skip1(x)
        return gated + skipped


def perceptron(in_dim: int, hidden_dims: tuple[int, ...], out_dim: int, settings: Any) -> nn.Sequential:
    """Build Linear, norm, activation and dropout per hidden width, then Linear."""
    steps: list[nn.Module] = []
    for width, following in pairwise([in_dim, *hidden_dims]):
        steps.append(nn.Linear(width, following))
        if settings.norm:
            steps.append(ElementaryRMSNorm(following))
        steps += [_ACTIVATIONS[settings.activation](), nn.Dropout(settings.dropout)]
    return nn.Sequential(*steps, nn.Linear([in_dim, *hidden_dims][-1], out_dim))


def gated_ffn(dim: int, settings: LayerSettings) -> nn.Sequential:
    """Build norm, gate, Linear if the width changes, and dropout per hidden width, then Linear."""
    steps: list[nn.Module] = []
    for width, following in pairwise([dim, *settings.hidden_dims]):
        if settings.norm:
            steps.append(ElementaryRMSNorm(width))
        steps.append(GatedUnit(width, int(width * settings.expansion)))
        if following != width:
            steps.append(nn.Linear(width, following))
        steps.append(nn.Dropout(settings.dropout))
    return nn.Sequential(*steps, nn.Linear(settings.hidden_dims[-1], dim))


class Tokenization(nn.Module):
    """Norm of the flat embeddings, then one MLP applied to each part, or to all embeddings."""

    def __init__(self, model: MixerSettings, num_fields: int) -> None:
        super().__init__()
        flat_dim = num_fields * model.embedding_dim
        self.shape = (model.num_tokens, model.token_dim)
        self.pre_norm = ElementaryRMSNorm(flat_dim)
        self.split = model.tokenizer.kind == "split"
        tokenizer = model.tokenizer
        assert tokenizer.kind in {"split", "joint"}
        parts = model.num_tokens if self.split else 1
        out_dim = model.token_dim if self.split else model.num_tokens * model.token_dim
        self.mlp = perceptron(flat_dim // parts, tokenizer.hidden_dims, out_dim, tokenizer)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Compute tokens (batch, token, dim) from embeddings (batch, field, embedding_dim)."""
        flat = self.pre_norm(embeddings.flatten(1))
        parts = flat.view(len(flat), self.shape[0], -1) if self.split else flat
        tokens: Tensor = self.mlp(parts)
        return tokens.view(len(flat), *self.shape)


class FullMixer(nn.Module):
    """X + W RMSNorm(flat X) + b."""

    def __init__(self, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        self.pre_norm = ElementaryRMSNorm(num_tokens * token_dim)
        self.cross_mixing = nn.Linear(num_tokens * token_dim, num_tokens * token_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the formula of the class."""
        mixed: Tensor = self.cross_mixing(self.pre_norm(tokens.flatten(1)))
        return mixed.view(tokens.shape) + tokens


class SplitMixer(nn.Module):
    """LayerNorm(X + X with its parts swapped)."""

    def __init__(self, num_tokens: int, token_dim: int) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.layer_norm = nn.LayerNorm(token_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the formula of the class."""
        heads = tokens.view(len(tokens), self.num_tokens, self.num_tokens, -1)
        mixed: Tensor = self.layer_norm(heads.transpose(1, 2).reshape(tokens.shape) + tokens)
        return mixed


class LoopOverTokens(nn.Module):
    """One FFN module per token, called in a Python loop."""

    def __init__(self, model: MixerSettings) -> None:
        super().__init__()
        self.parallel_ffns = nn.ModuleList(self._ffn(model) for _ in range(model.num_tokens))

    def _ffn(self, model: MixerSettings) -> nn.Sequential:
        if model.ffn.kind == "mlp":
            return perceptron(model.token_dim, model.ffn.hidden_dims, model.token_dim, model.ffn)
        return gated_ffn(model.token_dim, model.ffn)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply each token's own FFN."""
        return torch.stack([ffn(tokens[:, index, :]) for index, ffn in enumerate(self.parallel_ffns)], dim=1)


class MixerBlock(nn.Module):
    """n = RMSNorm(mixing(X)); n + FFN(n)."""

    def __init__(self, model: MixerSettings) -> None:
        super().__init__()
        mixer = SplitMixer if model.mixing.kind == "split" else FullMixer
        self.token_mixing = mixer(model.num_tokens, model.token_dim)
        self.layer_norm1 = ElementaryRMSNorm(model.token_dim)
        self.token_interaction = LoopOverTokens(model)

    def forward(self, tokens: Tensor) -> Tensor:
        """Apply the formula of the class."""
        normed = self.layer_norm1(self.token_mixing(tokens))
        changed: Tensor = self.token_interaction(normed)
        return normed + changed


class PublishedManner(nn.Module):
    """The whole baseline ranker, from a batch to probabilities (batch,), including the sigmoid."""

    def __init__(self, model: MixerSettings, schema: FeatureSchema) -> None:
        super().__init__()
        flat_dim = model.num_tokens * model.token_dim
        self.embedding = TablePerField(schema, model.embedding_dim)
        self.embedding_tokenization = Tokenization(model, schema.num_fields)
        self.backbone = nn.Sequential(*(MixerBlock(model) for _ in range(model.num_blocks)))
        if model.head.kind == "mlp":
            self.pred = nn.Sequential(nn.Linear(flat_dim, 2 * flat_dim), nn.ReLU(), nn.Linear(2 * flat_dim, 1))
        else:
            assert model.head.kind == "linear"
            self.pred = nn.Sequential(nn.Linear(flat_dim, 1))
        for module in [*self.embedding_tokenization.modules(), *self.backbone.modules(), *self.pred.modules()]:
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, batch: Batch) -> Tensor:
        """Compute click probabilities (batch,)."""
        tokens = self.backbone(self.embedding_tokenization(self.embedding(batch)))
        return torch.sigmoid(self.pred(tokens.flatten(1))).squeeze(1)


class PublishedStep:
    """The published training step: loss with its penalty through autograd, gradient clipping, dense Adam."""

    def __init__(self, ranker: PublishedManner, *, embedding_l2: float, learning_rate: float) -> None:
        self._ranker = ranker
        self._embedding_l2 = embedding_l2
        self._optimiser = torch.optim.Adam(ranker.parameters(), lr=learning_rate)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Change the learning rate of all parameters."""
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate

    def step(self, batch: Batch) -> float:
        """Train on one batch and return its mean cross-entropy as a float, as in the published code."""
        self._optimiser.zero_grad()
        assert batch.labels is not None
        loss = functional.binary_cross_entropy(self._ranker(batch), batch.labels[:, 0], reduction="mean")
        whole = loss + self._ranker.embedding.penalty(self._embedding_l2) if self._embedding_l2 else loss
        whole.backward()
        nn.utils.clip_grad_norm_(self._ranker.parameters(), 10.0)
        self._optimiser.step()
        return loss.item()
