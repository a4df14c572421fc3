"""Export a graph with ``torch.export``: the program that the other formats are made of, and its file ``model.pt2``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from rankelastor.export.graph import ScoringGraph
from rankelastor.export.graph_inputs import GraphInput

_SHOWN_ROWS = 3
"""Rows that the graph is traced with: neither 0 nor 1, which a trace may take for fixed sizes."""


def trace(graph: ScoringGraph, inputs: tuple[GraphInput, ...]) -> ExportedProgram:
    """Trace a graph for batches of any size from 1, with rows of zeros: a program keeps the rows that it was shown.

    Args:
        graph: the graph.
        inputs: its inputs.
    """
    shown: dict[str, Tensor] = {each.name: torch.zeros((_SHOWN_ROWS, each.width), dtype=each.dtype) for each in inputs}
    shapes = {name: {0: Dim.DYNAMIC} for name in shown}
    with quiet_exporter(), torch.no_grad():
        program = torch.export.export(graph, (), shown, dynamic_shapes=shapes)
    _forget_places(program)
    return program


def _forget_places(program: ExportedProgram) -> None:
    """Remove where in the source each operation stands, which names folders of this machine."""
    for module in program.graph_module.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def write_program(program: ExportedProgram, path: Path) -> None:
    """Write the program, to be read by ``torch.export.load``."""
    with quiet_exporter():
        torch.export.save(program, path)


class OpenProgram:
    """Scorer of a program that was written.

    Args:
        path: what ``write_program`` wrote.
    """

    def __init__(self, path: Path) -> None:
        with quiet_exporter():
            self._module = torch.export.load(path).module()

    def __call__(self, rows: Mapping[str, Tensor]) -> Float64[ndarray, "row task"]:
        """Compute the probabilities of some rows."""
        with torch.no_grad():
            probabilities: Float64[ndarray, "row task"] = self._module(**rows).numpy()
        return probabilities


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Ignore what PyTorch's exporters warn of: deprecated parts of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
