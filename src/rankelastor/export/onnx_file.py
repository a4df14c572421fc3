"""Write an exported program as ONNX, and score rows with it in ONNX Runtime."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor
from torch.export import ExportedProgram

from rankelastor.errors import SettingsError
from rankelastor.export.torch_program import quiet_exporter
from rankelastor.extras import how_to_install

OUTPUT_NAME = "probability"
MOST_EMBEDDED_BYTES = 1_900_000_000
"""Weights beyond this stand in a file beside the graph, since protobuf ends at 2 GB."""
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def require_onnx() -> None:
    """Check that the packages are there.

    Raises:
        SettingsError: one is missing.
    """
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise SettingsError(
                f"{package} must be installed to export ONNX, but it is not; try {how_to_install('export')}, or the "
                "format pt2"
            )


def write_onnx(program: ExportedProgram, path: Path) -> None:
    """Write the program as ONNX; weights of more than 1.9 GB go to ``model.onnx.data`` beside it."""
    num_bytes = sum(tensor.nbytes for tensor in program.state_dict.values())
    with quiet_exporter(), _quiet_loggers():
        exported = torch.onnx.export(program, dynamo=True, output_names=[OUTPUT_NAME], verbose=False)
        assert exported is not None, "the exporter of dynamo returns what it made"
        for node in exported.model.graph:
            node.metadata_props.clear()  # where each operation came from: most bytes of a small graph
        exported.save(path, external_data=num_bytes > MOST_EMBEDDED_BYTES)


class OpenOnnx:
    """Scorer of an ONNX file in ONNX Runtime, on the CPU.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        import onnxruntime  # noqa: PLC0415 - an extra

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3  # errors
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, rows: Mapping[str, Tensor]) -> Float64[ndarray, "row task"]:
        """Compute the probabilities of some rows."""
        inputs = {name: tensor.numpy() for name, tensor in rows.items()}
        probabilities: Float64[ndarray, "row task"] = self._session.run([OUTPUT_NAME], inputs)[0]
        return probabilities


@contextmanager
def _quiet_loggers() -> Iterator[None]:
    """Leave out what the exporter logs of its own passes."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
