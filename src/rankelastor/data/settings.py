"""Settings of the data: files, format, split, label and fields."""

from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator

from rankelastor.config.base import Settings
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.kinds.catalogue import FieldSettings
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.split_settings import SplitSettings


class DataSettings(Settings):
    """Everything from raw files to a prepared folder.

    ``prepared`` is the folder to write; recipes with the same data settings share it.
    ``shard_rows``: rows in one prepared file; `prepare` holds one such file of each split in memory. Fewer where
    they would take more than 256 MiB, as with long sequences.
    """

    prepared: Annotated[str, Field(min_length=1)]
    files: FileSettings
    split: SplitSettings | None = None
    csv: CsvSettings = CsvSettings()
    label: Annotated[str, Field(min_length=1)]
    fields: Annotated[tuple[FieldSettings, ...], Field(min_length=1)]
    shard_rows: PositiveInt = 500_000

    @model_validator(mode="after")
    def _split_goes_with_all(self) -> Self:
        if self.files.all is not None and self.split is None:
            raise ValueError("split must be given where files.all is; try `split: {kind: random}`")
        if self.files.all is None and self.split is not None:
            raise ValueError("split must be left out where files names the splits")
        return self

    @model_validator(mode="after")
    def _at_most_one_group(self) -> Self:
        groups = [field.patterns for field in self.fields if field.names_group]
        if len(groups) > 1:
            raise ValueError(f"fields must hold one group at most, but {len(groups)} were given")
        return self

    @property
    def vectors(self) -> tuple[PretrainedSettings, ...]:
        """The pretrained vectors that fields bring along."""
        return tuple(field.vectors for field in self.fields if field.vectors is not None)
