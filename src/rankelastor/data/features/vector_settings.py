"""Settings of pretrained vectors: their file, and where it holds keys and vectors."""

from pathlib import PurePath
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from rankelastor.config.base import Settings

Name = Annotated[str, Field(min_length=1)]
VectorFormat = Literal["parquet", "npy", "npz", "h5"]

_FORMATS: dict[str, VectorFormat] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npy": "npy",
    ".npz": "npz",
    ".h5": "h5",
    ".hdf5": "h5",
}


class PretrainedSettings(Settings):
    """Pretrained vectors by key, read from one file."""

    file: Name = Field(
        description="The file of vectors, by its suffix `.parquet`, `.npz`, `.h5`, or `.npy` (a matrix, one row per "
        "key). A relative path starts from `data.files.folder`."
    )
    key: Name | None = Field(
        None,
        description="Parquet: the column of keys, which are values of the field. `.npz` and `.h5`: the array of keys; "
        "null means `key`.",
    )
    vector: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = Field(
        None,
        description="Parquet: a column of lists, or several columns of numbers. `.npz` and `.h5`: the array of "
        "vectors; null means `value`.",
    )
    keys: Name | None = Field(None, description="`.npy`: a text file of one key per line, or a `.npy` file of keys.")
    trained: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Whether training changes the vectors; otherwise they are frozen.",
    )

    @property
    def format(self) -> VectorFormat:
        """Format of the file, by its suffix."""
        return _FORMATS[PurePath(self.file).suffix.lower()]

    @model_validator(mode="after")
    def _settings_go_with_the_format(self) -> Self:
        suffix = PurePath(self.file).suffix.lower()
        if suffix not in _FORMATS:
            raise ValueError(f"file must end in one of {', '.join(_FORMATS)}, but {self.file!r} was given")
        if (self.format == "npy") != (self.keys is not None):
            rule = "must name a file of one key per line" if self.format == "npy" else "must be left out"
            raise ValueError(f"keys {rule} if file is {suffix}, but {self.keys!r} was given")
        if self.format == "parquet" and None in (self.key, self.vector):
            raise ValueError("key and vector must name columns if file is Parquet; add the missing one")
        if self.format == "npy" and (self.key, self.vector) != (None, None):
            raise ValueError(
                "key and vector must be left out if file is .npy, whose keys are in the file of the setting keys"
            )
        if self.format in {"npz", "h5"} and isinstance(self.vector, tuple):
            raise ValueError(f"vector must name one array if file is {suffix}, but {list(self.vector)} was given")
        return self
