"""Record the spectrum of a model's activations at named points, over many batches, without changing the model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Self

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rankelastor.errors import RankElastorError, SettingsError
from rankelastor.spectrum.measures import MEASURES
from rankelastor.spectrum.recording.point import MatrixKind, PointAccumulator, PointSettings
from rankelastor.spectrum.recording.reading import first_tensor
from rankelastor.spectrum.recording.statistics import Recording
from rankelastor.spectrum.singular_values import SpectrumMethod

NUM_NAMES_SHOWN = 40
"""Largest number of known points that a message about an unknown point lists."""


class Recorder:
    """Context manager that records streaming statistics of the spectrum at named points of any module.

    Inside ``with`` every forward pass of the model is recorded, in training or evaluation mode. The hooks are removed
    on exit, also after an exception. Parameters, gradients, modes, outputs and random state are never changed. The
    statistics continue when the recorder is entered again. Only statistics are kept, unless ``keep_values`` is set.

    Args:
        model: Any module.
        points: A mapping from names to the modules whose outputs are recorded (such as ``ranker.points``), or dotted
            names of submodules.
        matrices: One or several kinds: ``"example"``, each example's tokens (T x D); ``"flattened"``, the whole
            sample's tokens flattened (examples x TD), through its Gram matrix in float64; ``"single_token"``, each
            token across the sample (examples x D). Outputs (batch, dim) have no tokens: only the last two are
            measured, and ``"flattened"`` is their matrix (examples x dim).
        measures: Names of measures.
        method: How the singular values of each example's tokens are computed.
        num_bins: Number of bins of the histograms over examples, which range from 1 to min(T, D).
        max_flattened_dim: Largest number of columns of flattened tokens; their Gram matrix takes 8 * (TD)^2 bytes.
        examples_per_call: Largest number of examples recorded per forward pass, evenly spaced; None records all.
        keep_values: Whether to keep each example's measures for `values`.
        read_tokens: Function from a point's output to tokens (batch, token, dim), or to (batch, dim);
            `feature_map_tokens` reads the output of a convolution.

    Raises:
        SettingsError: If a point does not exist (the message lists the known ones), or a measure or kind is unknown.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        >>> with Recorder(model, ["0", "1"]) as recorder, torch.no_grad():
        ...     _ = model(torch.eye(3, 4).expand(10, 3, 4))
        >>> statistics = recorder.recording()["1"]
        >>> statistics.num_examples, statistics.max_possible_rank, statistics.examples["stable_rank"].count
        (10, 3, 10)
        >>> with Recorder(model, ["0"], matrices="flattened") as recorder, torch.no_grad():
        ...     _ = model(torch.eye(4))  # (batch, dim): a matrix of all examples
        >>> recorder.recording()["0"].flattened.max_possible_rank
        4
    """

    def __init__(
        self,
        model: nn.Module,
        points: Mapping[str, nn.Module] | Sequence[str],
        *,
        matrices: MatrixKind | Collection[str] = ("example",),
        measures: Sequence[str] = tuple(MEASURES),
        method: SpectrumMethod = "gram",
        num_bins: int = 240,
        max_flattened_dim: int = 4096,
        examples_per_call: int | None = None,
        keep_values: bool = False,
        read_tokens: Callable[[object], Tensor] = first_tensor,
    ) -> None:
        if examples_per_call is not None and examples_per_call < 1:
            raise SettingsError(f"examples_per_call must be at least 1 or None, but {examples_per_call} was given")
        self._modules = _modules_at(model, points)
        kinds = (matrices,) if isinstance(matrices, str) else tuple(matrices)
        self._settings = PointSettings(kinds, tuple(measures), method, num_bins, max_flattened_dim, keep_values)
        self._examples_per_call = examples_per_call
        self._read_tokens = read_tokens
        self._handles: list[RemovableHandle] = []
        self.reset()

    def __enter__(self) -> Self:
        if self._handles:
            raise RankElastorError("a recorder must be left before it is entered again, but it is already recording")
        self._handles = [module.register_forward_hook(self._hook_for(name)) for name, module in self._modules.items()]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def reset(self) -> None:
        """Delete all statistics."""
        self._points = {name: PointAccumulator(name, self._settings) for name in self._modules}

    def recording(self) -> Recording:
        """Compute the statistics of each point so far; a point whose module never ran has ``num_examples`` 0."""
        return Recording(tuple(point.statistics() for point in self._points.values()))

    def values(self) -> dict[str, dict[str, Float32[Tensor, " example"]]]:
        """Return each example's measures by point and measure, in order; zero and not finite examples are left out.

        Raises:
            SettingsError: If the recorder does not keep values.
        """
        if not self._settings.keep_values:
            raise SettingsError("values must be kept to be read, but keep_values was False; try keep_values=True")
        return {name: point.values() for name, point in self._points.items()}

    def _hook_for(self, name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(_module: nn.Module, _inputs: tuple[object, ...], output: object) -> None:
            self._points[name].update(self._pick_examples(self._read_tokens(output)))

        return hook

    def _pick_examples(self, tokens: Float[Tensor, "batch ..."]) -> Float[Tensor, "sample ..."]:
        if self._examples_per_call is None or len(tokens) <= self._examples_per_call:
            return tokens
        spaced = torch.linspace(0, len(tokens) - 1, self._examples_per_call, dtype=torch.float64)
        return tokens.detach()[spaced.round().long().to(tokens.device)]


def _modules_at(model: nn.Module, points: Mapping[str, nn.Module] | Sequence[str]) -> dict[str, nn.Module]:
    if not points:
        raise SettingsError(
            f"points must name at least one point to record, but none was given; try {_list_known(model)}"
        )
    if isinstance(points, Mapping):
        return dict(points)
    if isinstance(points, str):
        raise SettingsError(f"points must be a list of names, but the text {points!r} was given; try [{points!r}]")
    modules = dict(model.named_modules())
    for name in points:
        if not name or name not in modules:
            raise SettingsError(f"a point must be one of {_list_known(model)}, but {name!r} was given")
    return {name: modules[name] for name in points}


def _list_known(model: nn.Module) -> str:
    names = [name for name, _ in model.named_modules() if name]
    more = f" and {len(names) - NUM_NAMES_SHOWN} more" if len(names) > NUM_NAMES_SHOWN else ""
    return ", ".join(names[:NUM_NAMES_SHOWN]) + more
