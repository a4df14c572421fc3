"""The truth of a planted log: latent vectors, groups of fields that meet, and the probability of each row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.polynomial.hermite_e import hermegauss

from rankelastor.data.planted.settings import PlantedSettings
from rankelastor.logistic import expit

_SCALING_ROWS = 50_000
_NUM_NODES = 40
_BISECTIONS = 60
_TRUTH, _SCALING = 1, 2
"""Streams of draws; those of the rows are in ``stream.py``."""

Codes = Int64[ndarray, "row field"]
Values = Float64[ndarray, " row"]


@dataclass(frozen=True)
class Truth:
    """What a planted log is drawn from. Scales and bias are found on rows of their own, so that no row changes another.

    Attributes:
        settings: the settings.
        groups: the fields of each interaction.
        frequencies: cumulative share of the values of each field, in the order of their ids.
        effects: for each field the effect of each value.
        latent: for each field the latent vector of each value (value, rank).
        scales: factors of the effects and of the interactions.
        bias: bias of the logit.
    """

    settings: PlantedSettings
    groups: tuple[tuple[int, ...], ...]
    frequencies: tuple[Float64[ndarray, " _"], ...]
    effects: tuple[Float64[ndarray, " _"], ...]
    latent: tuple[Float64[ndarray, "_ rank"], ...]
    scales: tuple[float, float] = (1.0, 1.0)
    bias: float = 0.0

    @classmethod
    def of(cls, settings: PlantedSettings) -> Self:
        """Draw the truth of these settings; the number of rows and the noise do not change it."""
        draws = generator(settings.seed, _TRUTH)
        drawn = cls(
            settings=settings,
            groups=_groups(settings, draws),
            frequencies=tuple(_frequencies(size, settings.zipf, draws) for size in settings.sizes),
            effects=tuple(draws.normal(size=size) for size in settings.sizes),
            latent=tuple(draws.normal(size=(size, settings.rank)) for size in settings.sizes),
        )
        codes = drawn.codes(generator(settings.seed, _SCALING), _SCALING_ROWS)
        effects, interactions = drawn.parts(codes)
        scales = (settings.main_effects / _deviation(effects), settings.strength / _deviation(interactions))
        scaled = replace(drawn, scales=scales)
        return replace(scaled, bias=_bias(scaled, codes))

    def codes(self, draws: np.random.Generator, num_rows: int) -> Codes:
        """Draw the values of some rows, as numbers counted from 0."""
        uniform = draws.random((num_rows, len(self.frequencies)))
        columns = [np.searchsorted(shares, uniform[:, field]) for field, shares in enumerate(self.frequencies)]
        return np.stack(columns, axis=1).astype(np.int64)

    def parts(self, codes: Codes) -> tuple[Values, Values]:
        """Compute the effects and the interactions of rows before they are scaled; both have a mean of about 0."""
        effects = np.sum([table[codes[:, field]] for field, table in enumerate(self.effects)], axis=0)
        vectors = [table[codes[:, field]] for field, table in enumerate(self.latent)]
        interactions = np.zeros(len(codes))
        for group in self.groups:
            product = vectors[group[0]].copy()
            for field in group[1:]:
                product *= vectors[field]
            interactions += product.sum(axis=1)
        return effects, interactions

    def probabilities(self, codes: Codes) -> Values:
        """Compute the probability of a click of each row: the mean over the noise, by 40 nodes of Gauss and Hermite."""
        effects, interactions = self.parts(codes)
        logits = self.bias + self.scales[0] * effects + self.scales[1] * interactions
        noise = self.settings.noise
        if not noise:
            sure: Values = expit(logits)
            return sure
        nodes, weights = hermegauss(_NUM_NODES)
        mean: Values = np.zeros(len(codes))
        for node, weight in zip(nodes, weights / weights.sum(), strict=True):
            mean += weight * expit(logits + noise * node)
        return mean


def generator(*key: int) -> np.random.Generator:
    """Make the generator of a stream of draws."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key)))


def _groups(settings: PlantedSettings, draws: np.random.Generator) -> tuple[tuple[int, ...], ...]:
    """Draw groups of fields by going round shuffled fields, so that each field is in about as many as any other."""
    waiting: list[int] = []
    groups = []
    for _ in range(settings.num_interactions):
        group: list[int] = []
        while len(group) < settings.order:
            if not any(field not in group for field in waiting):
                waiting += draws.permutation(settings.num_fields).tolist()
            field = next(field for field in waiting if field not in group)
            waiting.remove(field)
            group.append(field)
        groups.append(tuple(sorted(group)))
    return tuple(groups)


def _frequencies(size: int, zipf: float, draws: np.random.Generator) -> Float64[ndarray, " value"]:
    """Make the cumulative shares of the values of a field, whose most frequent ones have any ids."""
    weights = draws.permutation((np.arange(size) + 3.0) ** -zipf)
    shares: Float64[ndarray, " value"] = np.cumsum(weights / weights.sum())
    shares[-1] = 1.0
    return shares


def _deviation(values: Values) -> float:
    return float(values.std()) or 1.0


def _bias(truth: Truth, codes: Codes) -> float:
    """Find the bias at which the mean probability is the click rate, by bisection."""
    low, high = -20.0, 20.0
    some = codes[:5000]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        is_low = replace(truth, bias=middle).probabilities(some).mean() < truth.settings.click_rate
        low, high = (middle, high) if is_low else (low, middle)
    return low
