"""The published data sets that have recipes: files, checksums, numbers of rows, owners and terms.

Files, rows and md5 sums are those that the reczoo collections publish with the data (Hugging Face hub, one repository
and one zip of CSV files per data set).
"""

from __future__ import annotations

from dataclasses import dataclass

from rankelastor.errors import DataError
from rankelastor.suggestions import did_you_mean

_GB = 10**9


@dataclass(frozen=True)
class PublishedFile:
    """A file of the archive: ``md5`` as published (None: not published), ``num_rows`` without the header."""

    name: str
    md5: str | None
    num_rows: int | None = None


@dataclass(frozen=True)
class PublishedDataset:
    """A data set of the reczoo collections.

    Attributes:
        id: the published name, such as ``Criteo_x1``.
        about: the subject of its rows, in a word or two.
        files: the files of the archive that the recipe needs.
        most_bytes: largest unpacked size; a larger archive is refused.
        owner: the owner of the raw data.
        terms: a summary of the terms of the owner; the page is authoritative.
        terms_page: the page where the owner states the terms.
    """

    id: str
    about: str
    files: tuple[PublishedFile, ...]
    most_bytes: int
    owner: str
    terms: str
    terms_page: str

    @property
    def repository(self) -> str:
        """Name of the repository on the hub."""
        return f"reczoo/{self.id}"

    @property
    def archive(self) -> str:
        """Name of the zip file in the repository and on a mirror."""
        return f"{self.id}.zip"

    def num_rows(self, name: str) -> int | None:
        """Look up the number of rows of the file ``<name>.csv``; None if the data set has no such file."""
        return next((file.num_rows for file in self.files if file.name == f"{name}.csv"), None)


def find_dataset(dataset_id: str) -> PublishedDataset:
    """Find the data set of that name, ignoring case.

    Example:
        >>> find_dataset("frappe_x1").repository
        'reczoo/Frappe_x1'

    Raises:
        DataError: the name is unknown; the message lists the known ones.
    """
    for dataset in DATASETS:
        if dataset.id.lower() == dataset_id.lower():
            return dataset
    known = ", ".join(dataset.id for dataset in DATASETS)
    near = did_you_mean(dataset_id, [dataset.id for dataset in DATASETS]) or f"try one of {known}"
    raise DataError(f"the ID must name a published data set, but {dataset_id!r} is unknown; {near}")


DATASETS: tuple[PublishedDataset, ...] = (
    PublishedDataset(
        id="Criteo_x1",
        about="display ads",
        files=(
            PublishedFile("train.csv", "30b89c1c7213013b92df52ec44f52dc5", 33_003_326),
            PublishedFile("valid.csv", "f73c71fb3c4f66b6ebdfa032646bea72", 8_250_124),
            PublishedFile("test.csv", "2c48b26e84c04a69b948082edae46f8c", 4_587_167),
        ),
        most_bytes=40 * _GB,
        owner="Criteo (Display Advertising Challenge, 2014)",
        terms="research and non-commercial use; no attempt to identify people",
        terms_page="https://ailab.criteo.com/ressources/",
    ),
    PublishedDataset(
        id="Avazu_x4",
        about="mobile ads",
        files=(
            PublishedFile("train.csv", "de3a27264cdabf66adf09df82328ccaa", 32_343_172),
            PublishedFile("valid.csv", "33232931d84d6452d3f956e936cab2c9", 4_042_897),
            PublishedFile("test.csv", "3ebb774a9ca74d05919b84a3d402986d", 4_042_898),
        ),
        most_bytes=20 * _GB,
        owner="Avazu (Click-Through Rate Prediction contest, 2014)",
        terms="the rules of the contest on Kaggle",
        terms_page="https://www.kaggle.com/c/avazu-ctr-prediction/rules",
    ),
    PublishedDataset(
        id="KuaiVideo_x1",
        about="short videos",
        files=(
            PublishedFile("train.csv", "16f13734411532cc313caf2180bfcd56", 10_931_092),
            PublishedFile("test.csv", "ba26c01caaf6c65c272af11aa451fc7a", 2_730_291),
            PublishedFile("item_visual_emb_dim64.h5", None),
        ),
        most_bytes=60 * _GB,
        owner="Kuaishou (contest at China MM 2018)",
        terms="research use",
        terms_page="https://huggingface.co/datasets/reczoo/KuaiVideo_x1",
    ),
    PublishedDataset(
        id="TaobaoAd_x1",
        about="ads in a shop",
        files=(
            PublishedFile("train.csv", "eaabfc8629f23519b04593e26c7522fc", 21_929_911),
            PublishedFile("test.csv", "f5ae6197e52385496d46e2867c1c8da1", 3_099_515),
        ),
        most_bytes=60 * _GB,
        owner="Alibaba (Ali_Display_Ad_Click, Tianchi)",
        terms="research and non-commercial use",
        terms_page="https://tianchi.aliyun.com/dataset/56",
    ),
    PublishedDataset(
        id="Frappe_x1",
        about="use of apps",
        files=(
            PublishedFile("train.csv", "ba7306e6c4fc19dd2cd84f2f0596d158", 202_027),
            PublishedFile("valid.csv", "88d51bf2173505436d3a8f78f2a59da8", 57_722),
            PublishedFile("test.csv", "3470f6d32713dc5f7715f198ca7c612a", 28_860),
        ),
        most_bytes=1 * _GB,
        owner="L. Baltrunas, K. Church, A. Karatzoglou, N. Oliver (Frappe, 2015, arXiv 1505.03014)",
        terms="research use; cite the paper",
        terms_page="https://www.baltrunas.info/context-aware",
    ),
    PublishedDataset(
        id="MovielensLatest_x1",
        about="tags of films",
        files=(
            PublishedFile("train.csv", "efc8bceeaa0e895d566470fc99f3f271", 1_404_801),
            PublishedFile("valid.csv", "e1930223a5026e910ed5a48687de8af1", 401_373),
            PublishedFile("test.csv", "54e8c6baff2e059fe067fb9b69e692d0", 200_686),
        ),
        most_bytes=1 * _GB,
        owner="GroupLens, University of Minnesota (MovieLens)",
        terms="acknowledge it; no commercial use without permission",
        terms_page="https://grouplens.org/datasets/movielens/latest/",
    ),
)
"""The published data sets, in the order of the published table."""
