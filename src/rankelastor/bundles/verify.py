"""Verify a bundle: compare every file with its checksum, and score the example rows again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rankelastor.bundles.examples import TOLERANCE, ExampleScores, score_rows
from rankelastor.errors import RankElastorError
from rankelastor.runs.bundle_file.archive import is_bundle, open_archive
from rankelastor.runs.bundle_file.index import EXAMPLE_ROWS, EXAMPLE_SCORES
from rankelastor.runs.bundle_file.unpacked import UnpackedBundle
from rankelastor.runs.load import load_run
from rankelastor.runs.verify import Verification
from rankelastor.runs.verify import verify as verify_folder

_MODEL = "model"


@dataclass(frozen=True)
class BundleVerification(Verification):
    """What is known of a bundle.

    Attributes:
        scores: what scoring the example rows again has shown, as a sentence.
    """

    scores: str = ""


def verify(path: str | Path) -> Verification:
    """Check a bundle, a run folder or a prepared folder; see ``verify_bundle`` and ``runs.verify``.

    Raises:
        RunError: there is nothing at the path that can be verified, or the index of a bundle is damaged.
        StorageError: the disk has too little space to unpack a bundle.
    """
    return verify_bundle(path) if is_bundle(path) else verify_folder(path)


def verify_bundle(path: str | Path) -> BundleVerification:
    """Compare each file of a bundle with its checksum, load the run, and score the example rows again.

    Raises:
        RunError: the index of the bundle is missing, damaged, or of a newer version, so that nothing can be compared.
        StorageError: the disk has too little space to unpack it.
    """
    with open_archive(path) as archive:
        unpacked = UnpackedBundle(archive)
    try:
        damage, scores = dict(unpacked.damage), ""
        if not damage:
            damage, scores = _checked(unpacked)
    finally:
        unpacked.close()
    files = unpacked.index.files
    num_bytes = sum(each.num_bytes for each in files.values())
    return BundleVerification(Path(path), "bundle", len(files), num_bytes, damage, (), scores)


def _checked(unpacked: UnpackedBundle) -> tuple[dict[str, str], str]:
    try:
        run = load_run(unpacked.run)
        if unpacked.example_rows is None:
            return {}, "it holds no example rows to score again"
        stored = ExampleScores.read((unpacked.folder / EXAMPLE_SCORES).read_bytes(), source=EXAMPLE_SCORES)
        if len(stored.probability) != unpacked.index.num_examples:
            said = f"it holds {len(stored.probability)} probabilities of {unpacked.index.num_examples} rows"
            return {EXAMPLE_SCORES: said}, ""
        again = score_rows(run, unpacked.example_rows)
    except (RankElastorError, OSError) as error:
        return {_MODEL: str(error)}, ""
    difference = stored.difference_to(again)
    if difference is not None:
        return {EXAMPLE_ROWS: difference}, ""
    same = stored.arithmetic == dict(again.arithmetic)
    how = "bit for bit" if same else f"within {TOLERANCE:.0e}, on another processor or with other versions"
    return {}, f"{len(stored.probability)} example rows have the same probabilities, {how}"
