"""The graph that is exported: ids and numbers -> calibrated probabilities, in PyTorch's own operations."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float64, Integer
from torch import Tensor, nn

from rankelastor.calibration.calibration import Calibration
from rankelastor.calibration.calibrators import AffineCalibrator, Calibrator, IsotonicCalibrator
from rankelastor.export.graph_inputs import batch_of
from rankelastor.models.ranker import Ranker
from rankelastor.runs.load import LoadedRun

_MICRO = 1e6
"""Calibrators of steps round logits to six decimals, see ``IsotonicCalibrator``."""


class ScoringGraph(nn.Module):
    """Compute the probabilities of examples: look up, network, mean of the members, odds, calibrators, sigmoid.

    The ranker's plain layers compute it, without kernels; the end is in float64, so that close scores stay distinct.

    Args:
        ranker: the ranker, whose parameters the graph shares.
        logit_shift: what is added to each logit, see ``Odds``.
        calibration: what follows.
    """

    def __init__(self, ranker: Ranker, *, logit_shift: float, calibration: Calibration) -> None:
        super().__init__()
        self.ranker = ranker
        self.logit_shift = logit_shift
        self.offset = calibration.offset
        choices = calibration.choices.values() if calibration.changes_logits else ()
        self.calibrators = nn.ModuleList(_layer(choice.calibrator) for choice in choices)
        self.eval()

    def forward(
        self,
        *,
        categorical: Integer[Tensor, "batch categorical"] | None = None,
        numeric: Float[Tensor, "batch numeric"] | None = None,
        sequence: Integer[Tensor, "batch position"] | None = None,
    ) -> Float64[Tensor, "batch task"]:
        """Compute the probabilities of at least one example; an input without columns is left out."""
        given = {"categorical": categorical, "numeric": numeric, "sequence": sequence}
        batch = batch_of({name: tensor for name, tensor in given.items() if tensor is not None})
        logits = self.ranker.network(self.ranker.embedding(batch)).double() + self.logit_shift
        if self.calibrators:
            logits = torch.stack([each(logits[:, task]) for task, each in enumerate(self.calibrators)], dim=1)
        return torch.sigmoid(logits + self.offset)


class AffineLayer(nn.Module):
    """slope * logit + offset."""

    def __init__(self, calibrator: AffineCalibrator) -> None:
        super().__init__()
        self.slope, self.offset = calibrator.slope, calibrator.offset

    def forward(self, logits: Float64[Tensor, " batch"]) -> Float64[Tensor, " batch"]:
        """Compute the calibrated logits."""
        return self.slope * logits + self.offset


class IsotonicLayer(nn.Module):
    """The logit of the probability between neighbouring knots in a straight line, and beyond the outer ones as theirs.

    Example:
        >>> calibrator = IsotonicCalibrator((-1.0, 1.0), (0.25, 0.75))
        >>> IsotonicLayer(calibrator)(torch.tensor([-9.0, -1.0, 0.0, 9.0]).double()).sigmoid().tolist()
        [0.25, 0.25, 0.5, 0.75]
    """

    places: Tensor
    probabilities: Tensor

    def __init__(self, calibrator: IsotonicCalibrator) -> None:
        super().__init__()
        self.register_buffer("places", torch.tensor(calibrator.logits, dtype=torch.float64))
        self.register_buffer("probabilities", torch.tensor(calibrator.probabilities, dtype=torch.float64))

    def forward(self, logits: Float64[Tensor, " batch"]) -> Float64[Tensor, " batch"]:
        """Compute the calibrated logits."""
        logits = torch.round(logits * _MICRO) / _MICRO
        num_below = (logits.unsqueeze(1) >= self.places).sum(dim=1)
        below = (num_below - 1).clamp(min=0)
        above = num_below.clamp(max=len(self.places) - 1)
        start, low = self.places[below], self.probabilities[below]
        width = torch.where(above > below, self.places[above] - start, 1.0)
        share = ((logits - start) / width).clamp(0, 1)
        return torch.logit(low + share * (self.probabilities[above] - low))


def graph_of(run: LoadedRun) -> ScoringGraph:
    """Make the graph of a run, or of an ensemble; it shares the parameters of the run's ranker.

    The ranker of an ensemble is the mean of its members' logits, so that the graph holds all of them.
    """
    return ScoringGraph(run.ranker, logit_shift=run.recipe.odds.logit_shift, calibration=run.calibration)


def _layer(calibrator: Calibrator) -> nn.Module:
    if isinstance(calibrator, IsotonicCalibrator):
        return IsotonicLayer(calibrator)
    assert isinstance(calibrator, AffineCalibrator), "calibration/calibrators.py has these two"
    return AffineLayer(calibrator)
