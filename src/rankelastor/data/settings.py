"""Settings of the data: files, format, split, labels and fields."""

from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from rankelastor.config.base import Settings
from rankelastor.data.cells.labels import Label, LabelSettings
from rankelastor.data.cells.spelling import TextRule
from rankelastor.data.features.vector_settings import PretrainedSettings
from rankelastor.data.kinds.catalogue import FieldSettings
from rankelastor.data.kinds.field import FieldName
from rankelastor.data.raw.csv_settings import CsvSettings
from rankelastor.data.raw.file_settings import FileSettings
from rankelastor.data.split_settings import SplitSettings
from rankelastor.places import refuse_secrets


@dataclass(frozen=True)
class Target:
    """A label to predict: the name of its task, its settings, and their path for messages."""

    task: str
    label: LabelSettings
    place: str


class DataSettings(Settings):
    """Settings of the whole way from raw files to a prepared folder."""

    prepared: str = Field(
        min_length=1,
        description="The prepared folder, which `prepare` writes, or its address (`s3://BUCKET/PATH`); recipes with "
        "the same data settings share it.",
    )
    files: FileSettings = Field(description="The raw files.")
    split: SplitSettings | None = Field(
        None, description="How the rows of `files.all` are divided; left out if `files` names the splits."
    )
    csv: CsvSettings = Field(CsvSettings(), description="The format of CSV files.")
    label: Label | None = Field(
        None,
        description='The column to predict: its name, or `{column: NAME, positive: "VALUE"}`. Either `label` or '
        "`labels` is required.",
    )
    labels: Annotated[dict[FieldName, Label], Field(min_length=1)] | None = Field(
        None, description="Several columns to predict, in place of `label`: for each task its name and its label."
    )
    weight: FieldName | None = Field(
        None, description="A column of numbers, 0 or more: the weight of each example in loss and metrics."
    )
    negatives_kept: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Share of the rows with label 0 that the files still hold, if they were thinned before; rows "
        "with label 1 must all be there. Its logarithm is added to the logits in evaluation and prediction, and "
        "each row with label 0 counts 1 / negatives_kept times in metrics. It needs a single label.",
    )
    fields: tuple[FieldSettings, ...] = Field(
        min_length=1, description="The fields: columns, and how each becomes features of the model."
    )
    shard_rows: PositiveInt = Field(
        500_000,
        description="Number of rows per prepared file; `prepare` holds one such file of each split in memory. Files "
        "hold fewer rows if they would exceed 256 MiB, as with long sequences.",
    )

    extendable: bool = Field(
        False,  # noqa: FBT003 - a default
        description="Whether the prepared folder keeps the counts of values that are seen fewer than `min_count` "
        "times, so that a further day can be taken in. Folders whose fields all have `min_count: 1` "
        "need none.",
    )
    max_idle_days: PositiveInt | None = Field(
        None,
        description="Where a further day is taken in, a value that none of the last so many days holds in train "
        "loses its id, which the next new value gets; null keeps all. Each prepared folder of the chain is a day.",
    )

    @field_validator("prepared")
    @classmethod
    def _no_secrets(cls, prepared: str) -> str:
        refuse_secrets(prepared, what="prepared", error=ValueError)
        return prepared

    @model_validator(mode="after")
    def _split_goes_with_all(self) -> Self:
        if self.files.all is not None and self.split is None:
            raise ValueError("split must be given with files.all; try `split: {kind: random}`")
        if self.files.all is None and self.split is not None:
            raise ValueError("split must be left out if files names the splits")
        return self

    @model_validator(mode="after")
    def _label_or_labels(self) -> Self:
        if (self.label is None) == (self.labels is None):
            given = "neither" if self.label is None else "both"
            raise ValueError(f"label or labels must be given, one of the two, but {given} was given")
        read = [(target.label.column, target.label.positive) for target in self.targets]
        twice = sorted({column for column, positive in read if read.count((column, positive)) > 1})
        if twice:
            raise ValueError(f"labels must differ, but several read {twice}; remove one, or set another positive")
        if self.weight in {column for column, _ in read}:
            raise ValueError(f"weight must be a column of its own, but {self.weight!r} is a label too")
        return self

    @model_validator(mode="after")
    def _negatives_of_one_label(self) -> Self:
        if self.negatives_kept < 1 and self.labels is not None and len(self.labels) > 1:
            raise ValueError(
                f"negatives_kept needs a single label, but labels has {len(self.labels)}: rows that are negative for "
                "one may be positive for another; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _at_most_one_group(self) -> Self:
        groups = [field.patterns for field in self.fields if field.names_group]
        if len(groups) > 1:
            raise ValueError(f"fields must hold one group at most, but {len(groups)} were given")
        return self

    @property
    def targets(self) -> tuple[Target, ...]:
        """The labels in declared order. The task of a single ``label`` is named after its column."""
        if self.label is not None:
            return (Target(self.label.column, self.label, "data.label"),)
        return tuple(Target(task, label, f"data.labels.{task}") for task, label in (self.labels or {}).items())

    @property
    def group_text(self) -> TextRule:
        """The rule for the texts of groups."""
        return next((field.text_rule for field in self.fields if field.names_group), "canonical")

    @property
    def columns_beside_features(self) -> tuple[str, ...]:
        """The columns of labels and weight, each once; rows to be scored need not have them."""
        labels = [target.label.column for target in self.targets]
        return tuple(dict.fromkeys(labels if self.weight is None else [*labels, self.weight]))

    @property
    def vectors(self) -> tuple[PretrainedSettings, ...]:
        """The pretrained vectors of all fields."""
        return tuple(field.vectors for field in self.fields if field.vectors is not None)
