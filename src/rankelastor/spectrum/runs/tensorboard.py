"""Write training samples as TensorBoard scalars, one per measure and stage."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rankelastor.errors import SettingsError
from rankelastor.extras import how_to_install
from rankelastor.spectrum.runs.training_samples import TrainingSample

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TENSORBOARD_FOLDER = "tensorboard"
"""Path relative to the run folder."""


class TensorBoardWriter:
    """Writer of scalars ``<measure>/<stage>`` to ``tensorboard/`` in the run folder, which need not exist yet.

    Raises:
        SettingsError: TensorBoard is not installed.
    """

    def __init__(self, run_folder: Path) -> None:
        if find_spec("tensorboard") is None:
            raise SettingsError(
                "tensorboard must be installed for spectrum.tensorboard: true, but it is not; "
                f"try {how_to_install('track')}, or spectrum.tensorboard: false"
            )
        self._folder = run_folder / TENSORBOARD_FOLDER
        self._opened: SummaryWriter | None = None
        self._first_step: int | None = None

    def add(self, sample: TrainingSample) -> None:
        """Write all means of the sample at its step."""
        writer = self._writer()
        for stage, values in sample.stages.items():
            for measure, mean in values.means.items():
                writer.add_scalar(f"{measure}/{stage}", mean, sample.step)

    def resume(self, step: int) -> None:
        """Let the scalars of later steps, which come again, replace those that are there."""
        self._first_step = step + 1

    def close(self) -> None:
        """Flush to disk and close the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _writer(self) -> SummaryWriter:
        if self._opened is None:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an optional package

            self._opened = SummaryWriter(str(self._folder), purge_step=self._first_step)
        return self._opened
