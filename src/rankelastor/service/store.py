"""The model that a service answers with; a new bundle at the same path takes its place once it is verified."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from rankelastor.bundles.verify import verify_bundle
from rankelastor.errors import RankElastorError, RunError
from rankelastor.runs.bundle_file.archive import is_bundle
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
        self.current = _verified(self.place)
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
            new = _verified(self.place)
        except (RankElastorError, OSError) as error:
            self.problem = str(error)
            self._telemetry.swapped("refused")
            _logger.warning("the new bundle is refused, and the old one stays: %s", error)
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


def _verified(place: Path) -> ServedModel:
    if is_bundle(place):
        found = verify_bundle(place)
        if not found.is_whole:
            name, damage = next(iter(found.damage.items()))
            raise RunError(f"{place} must be whole, but {name} is damaged: {damage}; make the bundle again")
    return ServedModel(place)
