"""The timed workloads: published settings and synthetic batches with Zipf-distributed ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rankelastor.models.ffns import FFNS
from rankelastor.models.layer_settings import LayerSettings
from rankelastor.models.mixer import MixerSettings
from rankelastor.models.rankelastor import RankElastorSettings
from rankelastor.models.rankmixer import RankMixerSettings
from rankelastor.models.tokenizers import TOKENIZERS
from rankelastor.schema import Batch, CategoricalFeature, FeatureSchema, NumericFeature

ZIPF_EXPONENT = 1.1
CLICK_RATE = 0.25


@dataclass(frozen=True)
class Workload:
    """One model on one synthetic click log.

    ``num_rows``: total embedding rows of the categorical fields, whose sizes form a geometric series, as in Criteo.
    """

    name: str
    model: MixerSettings
    num_numeric: int
    num_categorical: int
    num_rows: int
    embedding_l2: float
    batch_size: int = 4096

    @property
    def schema(self) -> FeatureSchema:
        """Numeric features first, then the categorical ones."""
        numeric = [NumericFeature(f"I{index + 1}") for index in range(self.num_numeric)]
        sizes = _field_sizes(self.num_categorical, self.num_rows)
        return FeatureSchema((*numeric, *(CategoricalFeature(f"C{i + 1}", size) for i, size in enumerate(sizes))))

    def batch(self, seed: int, num_examples: int | None = None) -> Batch:
        """Draw a batch with the given seed; ids follow Zipf's law within each field."""
        generator = np.random.default_rng(seed)
        count = self.batch_size if num_examples is None else num_examples
        columns = [zipf_ids(generator, feature.num_ids, count) for feature in self.schema.categorical]
        return Batch(
            categorical=torch.from_numpy(np.stack(columns, axis=1)),
            numeric=torch.from_numpy(generator.random((count, self.num_numeric), dtype=np.float32)),
            labels=torch.from_numpy((generator.random((count, 1)) < CLICK_RATE).astype(np.float32)),
            group=None,
        )


def _field_sizes(num_fields: int, num_rows: int) -> list[int]:
    """Compute the number of ids per field, padding included: a geometric series from 3 that sums to ``num_rows``."""
    low, high = 1.0, 10.0
    for _ in range(80):
        ratio = (low + high) / 2
        low, high = (ratio, high) if sum(2 * ratio**i for i in range(num_fields)) < num_rows else (low, ratio)
    return [1 + max(2, int(2 * ratio**i)) for i in range(num_fields)]


def zipf_ids(generator: np.random.Generator, num_ids: int, count: int) -> np.ndarray:
    """Draw ids 1 .. num_ids - 1 with probability proportional to rank ** -1.1, by inverting the continuous law."""
    most, power = float(num_ids - 1), 1.0 - ZIPF_EXPONENT
    uniform = generator.random(count)
    ranks = (1.0 + uniform * ((most + 1.0) ** power - 1.0)) ** (1.0 / power)
    ids: np.ndarray = np.clip(ranks, 1, most).astype(np.int32)
    return ids


def _criteo_tokenizer(*, norm: bool = True) -> LayerSettings:
    return TOKENIZERS.settings("split", {"hidden_dims": [500], "dropout": 0.1, "norm": norm})


def _criteo(name: str, model: MixerSettings, num_rows: int) -> Workload:
    return Workload(name, model, num_numeric=13, num_categorical=26, num_rows=num_rows, embedding_l2=1e-5)


CRITEO_E10 = RankElastorSettings(
    kind="rankelastor",
    embedding_dim=10,
    num_tokens=15,
    token_dim=26,
    num_blocks=1,
    tokenizer=_criteo_tokenizer(),
    ffn=FFNS.settings("glu", {"hidden_dims": [64, 64], "expansion": 3}),
)
CRITEO_E20 = RankElastorSettings(
    kind="rankelastor",
    embedding_dim=20,
    num_tokens=26,
    token_dim=30,
    num_blocks=1,
    tokenizer=_criteo_tokenizer(),
    ffn=FFNS.settings("glu", {"hidden_dims": [64, 64], "expansion": 3}),
)
CRITEO_E20_RANKMIXER = RankMixerSettings(
    kind="rankmixer",
    embedding_dim=20,
    num_tokens=26,
    token_dim=26,
    num_blocks=2,
    tokenizer=_criteo_tokenizer(norm=False),
    ffn=FFNS.settings("mlp", {"hidden_dims": [200, 200], "activation": "gelu", "norm": False}),
)
AVAZU_E16 = RankElastorSettings(
    kind="rankelastor",
    embedding_dim=16,
    num_tokens=24,
    token_dim=16,
    num_blocks=4,
    tokenizer=TOKENIZERS.settings("joint", {"hidden_dims": [800]}),
    ffn=FFNS.settings("glu", {"hidden_dims": [16], "expansion": 3}),
)

WORKLOADS = {
    workload.name: workload
    for workload in (
        _criteo("criteo-e10-0.5M", CRITEO_E10, 500_000),
        _criteo("criteo-e10-2.1M", CRITEO_E10, 2_100_000),
        _criteo("criteo-e20-0.5M", CRITEO_E20, 500_000),
        _criteo("criteo-e20-2.1M", CRITEO_E20, 2_100_000),
        _criteo("criteo-e20-rankmixer-0.5M", CRITEO_E20_RANKMIXER, 500_000),
        _criteo("criteo-e20-rankmixer-2.1M", CRITEO_E20_RANKMIXER, 2_100_000),
        Workload("avazu-e16-0.5M", AVAZU_E16, 0, 24, 500_000, embedding_l2=0.0),
        Workload("avazu-e16-2.1M", AVAZU_E16, 0, 24, 2_100_000, embedding_l2=0.0),
    )
}
