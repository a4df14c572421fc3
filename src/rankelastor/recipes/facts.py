"""The facts about prepared data by which settings are chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from rankelastor.data.manifest import Manifest


@dataclass(frozen=True)
class Facts:
    """What the choice of settings looks at.

    Attributes:
        num_rows: rows of the train split.
        num_features: features that become tokens.
        num_ids: embedding rows of all features together.
        num_fewer_valid: rows of valid with the label that it has less often; of several labels, of that which has
            fewest.
    """

    num_rows: int
    num_features: int
    num_ids: int
    num_fewer_valid: int

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Collect the facts of prepared data."""
        schema = manifest.feature_schema
        num_ids = sum(feature.num_ids for feature in schema.with_ids if feature.shares is None)
        valid = manifest.splits["valid"]
        rates = list((valid.label_means or {"": valid.label_mean}).values())
        fewer = min(round(valid.num_rows * min(rate, 1 - rate)) for rate in rates)
        return cls(manifest.splits["train"].num_rows, max(1, schema.num_fields), num_ids, fewer)


TYPICAL = Facts(num_rows=10_000, num_features=8, num_ids=5_000, num_fewer_valid=500)
"""Stands for data that are not prepared yet."""
