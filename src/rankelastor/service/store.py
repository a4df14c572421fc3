"""The model that a service answers with; a new bundle at the same path takes its place once it is verified."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from rankelastor.bundles.examples import ExampleScores, score_rows
from rankelastor.errors import RankElastorError, RunError
from rankelastor.runs.bundle_file.index import EXAMPLE_ROWS, EXAMPLE_SCORES
from rankelastor.service.model import ServedModel
from rankelastor.service.telemetry import Telemetry

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Seen:
    inode: int
    num_bytes: int
    modified_ns: int


class ModelStore:
    """Holds the current model. Requests keep the one that they began with.

    Args:
        place: the run folder or the bundle; a bundle is verified before it is loaded.
        telemetry: counts new bundles.

    Raises:
        RunError: it is damaged, or its rows are scored otherwise here.
    """

    def __init__(self, place: str | Path, telemetry: Telemetry) -> None:
        self.place = Path(place)
        self._telemetry = telemetry
        self._seen = self._look()
        self.current = load_verified(self.place)
        self.problem: str | None = None
        """Why the last new bundle was refused; None if it was not."""

    def refresh(self) -> bool:
        """Look for a new bundle at the path; verify and take it, or refuse it and keep the old one.

        Returns:
            Whether a new one was taken.
        """
        found = self._look()
        if found is None or found == self._seen:
            return False
        self._seen = found
        try:
            new = load_verified(self.place)
        except Exception as error:  # noqa: BLE001 - whatever a bundle does, the service and the watching go on
            self.problem = str(error) if isinstance(error, RankElastorError) else f"{type(error).__name__}: {error}"
            self._telemetry.swapped("refused")
            _logger.warning("the new bundle is refused, and the old one stays: %s", self.problem)
            return False
        self.current, self.problem = new, None
        self._telemetry.swapped("taken")
        _logger.info("a new bundle was taken: %s", self.place)
        return True

    def _look(self) -> _Seen | None:
        try:
            status = self.place.stat()
        except OSError:
            return None
        return _Seen(status.st_ino, status.st_size, status.st_mtime_ns)


def load_verified(place: Path) -> ServedModel:
    """Load a run or a bundle, and score the example rows of what was loaded again.

    Its files are compared with their checksums as they are unpacked. The path is opened once, so that what is verified
    is what serves, also where another file takes the path meanwhile.

    Raises:
        RunError: it is damaged, or its rows are scored otherwise here.
    """
    model = ServedModel(place)
    bundle = model.run.bundle
    if bundle is not None and bundle.example_rows is not None:
        stored = ExampleScores.read((bundle.folder / EXAMPLE_SCORES).read_bytes(), source=EXAMPLE_SCORES)
        difference = stored.difference_to(score_rows(model.run, bundle.example_rows))
        if difference is not None:
            raise RunError(f"{place} must be whole, but {EXAMPLE_ROWS} is damaged: {difference}; make the bundle again")
    return model
