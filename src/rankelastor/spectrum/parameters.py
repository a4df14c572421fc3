"""Measures of the parameters of a model: embedding tables by field, weight matrices, and the gradients of both."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import MEASURES, default_tolerance
from rankelastor.spectrum.recording.running_gram import finite_or_none
from rankelastor.spectrum.recording.statistics import MatrixMeasures
from rankelastor.spectrum.singular_values import SpectrumMethod, relative_singular_values


@torch.no_grad()
def measure_matrix(
    matrix: Float[Tensor, "row column"], *, name: str, method: SpectrumMethod = "gram"
) -> MatrixMeasures:
    """Compute all measures of one matrix and its relative singular values; an undefined measure is None.

    Example:
        >>> measure_matrix(torch.eye(2, 5), name="the identity").measures["stable_rank"]
        2.0
    """
    num_rows, num_columns = matrix.shape
    relative = relative_singular_values(matrix.detach(), method=method)
    tolerance = default_tolerance(matrix, method=method)
    return MatrixMeasures(
        matrix=name,
        num_rows=num_rows,
        num_columns=num_columns,
        measures={name: finite_or_none(measure.compute(relative, tolerance)) for name, measure in MEASURES.items()},
        singular_values=tuple(relative.nan_to_num(0).tolist()),
    )


def measure_embedding_tables(
    table: Float[Tensor, "row embedding_dim"], fields: Mapping[str, slice], *, method: SpectrumMethod = "gram"
) -> dict[str, MatrixMeasures]:
    """Compute all measures of each field's embedding table (vocabulary x e) in a weight shared by all fields.

    The padding row is zero, so leaving it out of a slice does not change the measures.

    Args:
        table: The weight, or its gradient (dense).
        fields: The rows of each field.
        method: How the singular values are computed.

    Raises:
        SettingsError: If a field has no rows.

    Example:
        >>> tables = measure_embedding_tables(torch.eye(5, 4), {"site": slice(0, 2), "app": slice(2, 5)})
        >>> tables["app"].num_rows, tables["app"].measures["stable_rank"]
        (3, 2.0)
    """
    measured = {}
    for field, rows in fields.items():
        if len(table[rows]) == 0:
            raise SettingsError(
                f"each field must have rows in the table of {len(table)} rows, but field {field!r} has {rows}"
            )
        words = f"embedding table of {field} (vocabulary x e)"
        measured[field] = measure_matrix(table[rows], name=words, method=method)
    return measured


def measure_weight(
    model: nn.Module, name: str, *, plus_identity: bool = False, method: SpectrumMethod = "gram"
) -> MatrixMeasures:
    """Compute all measures of a weight matrix W, or of ``W + I``, the map of full mixing with its residual.

    Args:
        model: The module that has the parameter.
        name: Dotted name of a parameter with two axes.
        plus_identity: Whether to add the identity; the weight must be square.
        method: How the singular values are computed.

    Raises:
        SettingsError: If the parameter is unknown (the message lists those with two axes) or not square.

    Example:
        >>> layer = nn.Linear(3, 3)
        >>> _ = nn.init.zeros_(layer.weight)
        >>> measure_weight(layer, "weight", plus_identity=True).measures["stable_rank"]
        3.0
    """
    weight = _parameter_with_two_axes(model, name).detach()
    if not plus_identity:
        return measure_matrix(weight, name=f"weight {name}", method=method)
    if weight.shape[0] != weight.shape[1]:
        raise SettingsError(
            f"a weight must be square for plus_identity, but {name!r} is {weight.shape[0]} x {weight.shape[1]}"
        )
    identity = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
    return measure_matrix(weight + identity, name=f"weight {name} plus identity", method=method)


def measure_gradient(model: nn.Module, name: str, *, method: SpectrumMethod = "gram") -> MatrixMeasures:
    """Compute all measures of the gradient of a weight matrix after the last backward pass.

    Raises:
        SettingsError: If the parameter is unknown or has no gradient.
    """
    gradient = _parameter_with_two_axes(model, name).grad
    if gradient is None:
        raise SettingsError(f"parameter {name!r} must have a gradient, but it has none; try loss.backward() first")
    dense = gradient.to_dense() if gradient.is_sparse else gradient
    return measure_matrix(dense, name=f"gradient of {name}", method=method)


def _parameter_with_two_axes(model: nn.Module, name: str) -> nn.Parameter:
    matrices = {known: parameter for known, parameter in model.named_parameters() if parameter.ndim == 2}  # noqa: PLR2004
    if name not in matrices:
        raise SettingsError(f"a weight matrix must be one of {', '.join(matrices)}, but {name!r} was given")
    return matrices[name]
