"""Settings of raw files: their paths, and the split of each."""

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from rankelastor.config.base import Settings
from rankelastor.places import refuse_secrets

Patterns = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class FileSettings(Settings):
    """Raw files: a path, a folder, a glob, or a list of these for each split; or ``all`` with a split of the data.

    The first bytes of a file tell whether it is Parquet, Arrow IPC (Feather), ORC or CSV, and how CSV is compressed.
    A folder stands for the data files in it and below; folders called ``NAME=VALUE`` are columns. Relative paths start
    from ``folder``. Addresses (``s3://``, ``gs://``, ``hdfs://``) are read as paths are; credentials come from the
    environment.
    """

    folder: str = Field(
        ".",
        description="The folder from which relative paths of raw files and vectors start; it may be an address, as `s3://BUCKET/PATH`.",
    )
    train: Patterns | None = Field(
        None,
        description="Files of the train split: a path, a folder, a glob, their addresses, or a list. Either `train` "
        "and `valid`, or `all` is required.",
    )
    valid: Patterns | None = Field(None, description="Files of the valid split.")
    test: Patterns | None = Field(None, description="Files of the test split, if there is one.")
    all: Patterns | None = Field(None, description="Files of all rows, which `data.split` divides into splits.")

    @field_validator("train", "valid", "test", "all", mode="before", json_schema_input_type=str | Patterns | None)
    @classmethod
    def _one_pattern_is_a_list_of_one(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _no_secrets(self) -> Self:
        refuse_secrets(self.folder, what="folder", error=ValueError)
        for split in ("all", "train", "valid", "test"):
            for pattern in getattr(self, split) or ():
                refuse_secrets(pattern, what=split, error=ValueError)
        return self

    @model_validator(mode="after")
    def _splits_or_all(self) -> Self:
        named = [split for split in ("train", "valid", "test") if getattr(self, split) is not None]
        if self.all is not None and named:
            raise ValueError(f"files must name either `all` or splits, but `all` and {named} were given")
        if self.all is None and not {"train", "valid"} <= set(named):
            raise ValueError(
                f"files must name `train` and `valid` (`test` if there is one), or `all` with data.split, "
                f"but {named or 'nothing'} was given"
            )
        return self
