"""Accumulate the statistics of the token tensors at one point of a model."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import MEASURES, default_tolerance, find_measure
from rankelastor.spectrum.recording.reading import NUM_AXES_OF_TOKENS
from rankelastor.spectrum.recording.running_gram import RunningGram
from rankelastor.spectrum.recording.statistics import MatrixMeasures, PointStatistics, SingularValueCurve
from rankelastor.spectrum.recording.streaming import RunningMeasures, RunningMoments
from rankelastor.spectrum.singular_values import SpectrumMethod, relative_singular_values, to_computable

MatrixKind = Literal["example", "flattened", "single_token"]
MATRIX_KINDS: tuple[MatrixKind, ...] = ("example", "flattened", "single_token")


@dataclass(frozen=True)
class PointSettings:
    """Settings of the statistics at each point; see `Recorder`'s arguments of these names."""

    matrices: Collection[str] = ("example",)
    measures: tuple[str, ...] = tuple(MEASURES)
    method: SpectrumMethod = "gram"
    num_bins: int = 240
    max_flattened_dim: int = 4096
    keep_values: bool = False

    def __post_init__(self) -> None:
        for name in self.measures:
            find_measure(name)
        for kind in self.matrices:
            if kind not in MATRIX_KINDS:
                raise SettingsError(
                    f"a kind of matrix must be one of {', '.join(MATRIX_KINDS)}, but {kind!r} was given"
                )
        if self.num_bins < 1:
            raise SettingsError(f"num_bins must be at least 1, but {self.num_bins} was given; try 240")


@dataclass
class _Streams:
    """Running statistics, created with the shape of the first tokens."""

    num_tokens: int
    token_dim: int
    examples: RunningMeasures
    curve: RunningMoments
    flattened: RunningGram | None
    single_tokens: RunningGram | None
    values: list[Float32[Tensor, "example measure"]] = field(default_factory=list)


class PointAccumulator:
    """Accumulator of the running statistics at one point.

    Args:
        name: Name of the point, used in messages.
        settings: Which statistics to compute.
    """

    def __init__(self, name: str, settings: PointSettings) -> None:
        self.name = name
        self._settings = settings
        self._streams: _Streams | None = None
        self._num_examples = self._num_not_finite = self._num_zero = 0
        self._measures_examples = "example" in settings.matrices

    @torch.no_grad()
    def update(self, outputs: Float[Tensor, "batch ..."]) -> None:
        """Add the outputs of more examples, tokens or (batch, dim); examples that are not finite are only counted."""
        tokens = to_computable(self._with_token_axis(outputs.detach()))
        streams = self._streams_for(tokens)
        finite: Bool[Tensor, " batch"] = tokens.isfinite().flatten(1).all(dim=1)
        self._num_examples += len(tokens)
        self._num_not_finite += len(tokens) - int(finite.sum())
        kept = tokens[finite]
        if self._measures_examples:
            self._update_examples(streams, kept)
        if streams.flattened is not None:
            streams.flattened.update(kept.flatten(1)[:, None, :])
        if streams.single_tokens is not None:
            streams.single_tokens.update(kept)

    def statistics(self) -> PointStatistics:
        """Compute the statistics of all examples so far."""
        streams = self._streams
        flattened, centred = self._flattened(streams)
        return PointStatistics(
            point=self.name,
            num_tokens=streams.num_tokens if streams else None,
            token_dim=streams.token_dim if streams else None,
            num_examples=self._num_examples,
            num_not_finite=self._num_not_finite,
            num_zero=self._num_zero,
            examples=streams.examples.statistics() if streams and self._measures_examples else {},
            singular_values=_curve(streams),
            flattened=flattened,
            flattened_centred=centred,
            single_tokens=self._single_tokens(streams),
        )

    def values(self) -> dict[str, Float32[Tensor, " example"]]:
        """Return each example's measures in the order of the examples, without examples that are zero or not finite."""
        kept = self._streams.values if self._streams else []
        table = torch.cat(kept) if kept else torch.zeros(0, len(self._settings.measures))
        return dict(zip(self._settings.measures, table.unbind(dim=1), strict=True))

    def _update_examples(self, streams: _Streams, tokens: Float[Tensor, "batch token dim"]) -> None:
        relative = relative_singular_values(tokens, method=self._settings.method).cpu()
        relative = relative[relative[:, 0] > 0]
        self._num_zero += len(tokens) - len(relative)
        tolerance = default_tolerance(tokens, method=self._settings.method)
        measures = [find_measure(name).compute(relative, tolerance) for name in self._settings.measures]
        table = torch.stack(measures, dim=1)
        streams.examples.update(table)
        streams.curve.update(relative)
        if self._settings.keep_values:
            streams.values.append(table.float())

    def _with_token_axis(self, outputs: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch token dim"]:
        """Read (batch, dim) as one token per example, whose own matrix has rank 1 and is not measured."""
        shape = tuple(outputs.shape)
        if len(shape) == NUM_AXES_OF_TOKENS:
            return outputs
        must = f"the output at point {self.name!r} must have the shape (batch, token, dim), but {shape} was given"
        if len(shape) > NUM_AXES_OF_TOKENS:
            raise SettingsError(f"{must}; try read_tokens=feature_map_tokens for the output of a convolution")
        if len(shape) < NUM_AXES_OF_TOKENS - 1:
            raise SettingsError(
                f"{must}; try another point, or pass read_tokens= to extract the tokens from its output"
            )
        if set(self._settings.matrices) <= {"example"}:
            raise SettingsError(f'{must}; try matrices="flattened", which measures the matrix of all examples')
        self._measures_examples = False
        return outputs[:, None, :]

    def _streams_for(self, tokens: Float[Tensor, "batch token dim"]) -> _Streams:
        if self._streams is None:
            self._streams = self._new_streams(tokens)
        if (self._streams.num_tokens, self._streams.token_dim) != tuple(tokens.shape[1:]):
            raise SettingsError(
                f"the token matrices at point {self.name!r} must all be {self._streams.num_tokens} x "
                f"{self._streams.token_dim} like the first ones, but {tokens.shape[1]} x {tokens.shape[2]} was given"
            )
        return self._streams

    def _new_streams(self, tokens: Float[Tensor, "batch token dim"]) -> _Streams:
        _, num_tokens, token_dim = tokens.shape
        size, flat = min(num_tokens, token_dim), num_tokens * token_dim
        wants_flattened = "flattened" in self._settings.matrices
        if wants_flattened and flat > self._settings.max_flattened_dim:
            raise SettingsError(
                f"flattened tokens must have at most max_flattened_dim = {self._settings.max_flattened_dim} columns, "
                f"but point {self.name!r} has {num_tokens} * {token_dim} = {flat}, a Gram matrix of "
                f"{8 * flat**2 / 2**20:.0f} MiB; try the kind 'single_token', or a larger max_flattened_dim"
            )
        new_gram = {"device": tokens.device}
        return _Streams(
            num_tokens=num_tokens,
            token_dim=token_dim,
            examples=RunningMeasures(self._settings.measures, max_possible_rank=size, num_bins=self._settings.num_bins),
            curve=RunningMoments(num_columns=size),
            flattened=RunningGram(num_matrices=1, width=flat, **new_gram) if wants_flattened else None,
            single_tokens=RunningGram(num_matrices=num_tokens, width=token_dim, **new_gram)
            if "single_token" in self._settings.matrices
            else None,
        )

    def _flattened(self, streams: _Streams | None) -> tuple[MatrixMeasures | None, MatrixMeasures | None]:
        if streams is None or streams.flattened is None:
            return None, None
        words = "the tokens of all examples flattened (examples x TD)"
        if streams.num_tokens == 1:
            words = "all examples (examples x D)"
        (plain,) = streams.flattened.measures(self._settings.measures, centred=False, describe=words)
        (centred,) = streams.flattened.measures(self._settings.measures, centred=True, describe=f"{words}, centred")
        return plain, centred

    def _single_tokens(self, streams: _Streams | None) -> tuple[MatrixMeasures, ...]:
        if streams is None or streams.single_tokens is None:
            return ()
        words = "token {index} across all examples (examples x D)"
        return streams.single_tokens.measures(self._settings.measures, centred=False, describe=words)


def _curve(streams: _Streams | None) -> SingularValueCurve | None:
    if streams is None or streams.curve.count == 0:
        return None
    return SingularValueCurve(
        mean=tuple(streams.curve.mean.tolist()),
        standard_deviation=tuple(streams.curve.standard_deviation.nan_to_num(0).tolist()),
    )
