"""Settings that several kinds of FuxiCTR columns have in common."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from rankelastor.errors import SettingsError
from rankelastor.interop.fuxictr.notes import FuxiCtrSettings

_CALL = re.compile(r"\s*(?P<name>\w+)\s*(\(\s*(?P<argument>[^()]*?)\s*\))?\s*")
_PREPROCESSES = ("copy_from", "convert_hour", "convert_weekday", "convert_weekend", "convert_to_bucket")
_TEXT_TYPES = {"str", str}
_MEAN = "layers.MaskedAveragePooling()"
_LINEAR = re.compile(r"nn\.Linear\(.*bias\s*=\s*False\s*\)")
_LONGEST = 100


@dataclass(frozen=True)
class Column:
    """One column of ``feature_cols``, with the settings of the data set for all columns."""

    settings: FuxiCtrSettings
    folder: str
    embedding_dim: int
    min_count: int
    num_buckets: int

    @property
    def name(self) -> str:
        """Name of the feature."""
        return str(self.settings.take("name"))

    @property
    def is_text(self) -> bool:
        """Whether FuxiCTR reads the cells as text."""
        return self.settings.take("dtype", "str") in _TEXT_TYPES

    @property
    def preprocess(self) -> tuple[str | None, str | None]:
        """Function that FuxiCTR applies to the column, and its argument.

        Raises:
            SettingsError: neither FuxiCTR nor its published data sets have such a function.
        """
        text = self.settings.take("preprocess")
        if text is None:
            return None, None
        call = _CALL.fullmatch(str(text))
        if call is None or call["name"] not in _PREPROCESSES:
            raise SettingsError(
                f"{self.settings.path}preprocess must be one of {', '.join(_PREPROCESSES)}, but {text!r} was given; "
                "apply it to the raw files and leave it out"
            )
        return call["name"], call["argument"] or None

    def own_min_count(self) -> int:
        """Read the threshold of the column, by default that of the data set."""
        return self.settings.whole("min_categr_count", self.min_count)

    def note_common(self) -> None:
        """Add notes on settings that any column may have."""
        for key in ("name", "active", "dtype", "embedding_dim", "emb_output_dim", "pretrain_dim"):
            self.settings.take(key)
        if self.settings.take("source", ""):
            self.settings.note("no equal", "source", "all fields go into one ranker")
        width = self.settings.take("embedding_dim", self.embedding_dim)
        if width != self.embedding_dim and self.settings.take("pretrained_emb") is None:
            self.settings.note("no equal", "embedding_dim", f"all fields have the model's width, {self.embedding_dim}")
        if self.settings.take("remap", True) is False:  # noqa: FBT003 - a default
            self.settings.note("no equal", "remap", "values are mapped to ids by the train split")
        self.settings.note_all("no equal", {"vocab_size": "the vocabulary comes from the train split"})

    def note_sharing(self, share: str) -> None:
        """Add notes on a column that shares the vocabulary of another one."""
        self.settings.take("min_categr_count")
        self.settings.take("fill_na")
        self.settings.note(
            "differs",
            "share_embedding",
            f"one vocabulary counts {share} and all that share it together; FuxiCTR counts each column alone",
        )


def source_column(column: Column) -> dict[str, Any]:
    """Read the raw column of a field, and the field's name if it differs."""
    name, argument = column.preprocess
    if name in {None, "convert_to_bucket", "copy_from"}:
        raw = argument or column.name
        return {"column": raw} if raw == column.name else {"column": raw, "name": column.name}
    raise SettingsError(
        f"{column.settings.path}preprocess {name} must be that of a categorical column, but type is "
        f"{column.settings.take('type')!r}; correct feature_cols"
    )


def pretrained_settings(column: Column) -> dict[str, Any]:
    """Make ``pretrained`` for a column that has vectors; the path of their file is relative to the raw files."""
    path = column.settings.take("pretrained_emb")
    encoder = column.settings.take("feature_encoder")
    if encoder is not None and (path is None or not _LINEAR.fullmatch(str(encoder).strip())):
        column.settings.note("no equal", "feature_encoder", "the embedding goes to the tokenizer unchanged")
    if path is None:
        return {}
    usage = column.settings.take("pretrain_usage", "init")
    if usage != "init":
        column.settings.note("no equal", "pretrain_usage", "the vectors are used without a learned row beside them")
    file = PurePosixPath(os.path.relpath(str(path), column.folder).replace(os.sep, "/"))
    values = {"file": str(file), "trained": not column.settings.take("freeze_emb", True)}  # noqa: FBT003 - a default
    if file.suffix == ".parquet":
        values |= {"key": "key", "vector": "value"}
    return {"pretrained": values}


def sequence_rules(column: Column) -> dict[str, Any]:
    """Read separator and length of a sequence; add notes if FuxiCTR pads, cuts or pools in another way."""
    settings = column.settings
    for key in ("fill_na", "freeze_emb", "pretrain_usage"):
        settings.take(key)
    if settings.take("padding", "post") != "pre":
        text = (
            "the newest max_len elements are kept; with padding post FuxiCTR keeps the oldest (the mean pads nothing)"
        )
        settings.note("differs", "padding", text)
    if column.preprocess[0] == "convert_to_bucket":
        settings.note("no equal", "preprocess", "floor(ln(x)^2) has no equal; the elements are not changed")
    max_length = settings.whole("max_len", 0)
    if not max_length:
        settings.note(
            "differs", "max_len", f"FuxiCTR takes the longest list of the train split; {_LONGEST} is used instead"
        )
    _note_pooling(settings)
    return {"separator": settings.take("splitter", " "), "max_length": max_length or _LONGEST}


def _note_pooling(settings: FuxiCtrSettings) -> None:
    """Add a note on any pooling but the mean; a linear map after it belongs to pretrained vectors."""
    encoder = settings.values.get("feature_encoder", _MEAN)
    settings.take("feature_encoder")
    steps = [str(step).strip() for step in (encoder if isinstance(encoder, list) else [encoder])]
    if steps[:1] == [_MEAN] and all(_LINEAR.fullmatch(step) for step in steps[1:]):
        return
    settings.note("no equal", "feature_encoder", "the model takes the mean of the elements' embeddings")
