"""Files in the layout of the published code: checkpoint, settings, fitted features, a log, and our recipe of it."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import yaml
from torch import Tensor

from rankelastor.interop.import_published import ImportedRun, import_published

PARITY = Path(__file__).parents[1] / "parity" / "full_glu_split_tokenizer"
ARRAYS = dict(np.load(f"{PARITY}.npz"))
NUM_ROWS, NUM_FIELDS, DIM = ARRAYS["in.embeddings"].shape
COLUMNS = [f"c{field}" for field in range(NUM_FIELDS)]
MODEL: dict[str, Any] = {
    "model": "UniMixer",
    "dataset_id": "small",
    "embedding_dim": DIM,
    "learning_rate": 0.001,
    "batch_size": 64,
    "epochs": 2,
    "seed": 2019,
    "monitor": "AUC",
    "Token_num": 6,
    "Token_dim": 8,
    "depth": 2,
    "mixing_type": 999,
    "use_tokenizer": True,
    "pred_head": "mlp",
    "proj_param": {"hidden_units": [11], "dropout": 0.0, "activation": "relu", "trans_type": "matrix",
                   "use_layer_norm": True},
    "interaction_mlp_params": {"hidden_units": [12, 12], "dropout": 0.0, "activation": "swiglu",
                               "expansion_rate": 3.0, "use_layer_norm": True},
}  # fmt: skip


class PublishedFiles:
    """Files of the published code on a log whose row k has the value ``k.0`` in every column."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings, self.raw = folder / "config", folder / "raw"
        self.checkpoint, self.recipe = folder / "small.model", folder / "data.yaml"
        self.settings.mkdir()
        self.raw.mkdir()
        self.write_log()
        self.write_settings(MODEL)
        self.write_features()
        self.state = self.make_state()
        torch.save(self.state, self.checkpoint)
        self.write_recipe(COLUMNS)

    def write_log(self) -> None:
        rng = np.random.default_rng(3)
        values = rng.integers(NUM_ROWS, size=200)
        train = pl.DataFrame({"label": rng.integers(2, size=200), **dict.fromkeys(COLUMNS, values)})
        extra = train[:2].with_columns(
            pl.lit(99, pl.Int64).alias(name) for name in COLUMNS
        )  # a value that the checkpoint lacks
        test = pl.DataFrame({"label": [0, 1] * (NUM_ROWS // 2) + [1], **{name: range(NUM_ROWS) for name in COLUMNS}})
        pl.concat([train, extra]).write_csv(self.raw / "train.csv")
        for split in ("valid", "test"):
            test.write_csv(self.raw / f"{split}.csv")

    def write_settings(self, model: dict[str, Any]) -> None:
        dataset = {
            "data_root": str(self.folder),
            "data_format": "csv",
            "feature_cols": [{"active": True, "dtype": "float", "name": COLUMNS, "type": "categorical"}],
            "label_col": {"dtype": "float", "name": "label"},
            "min_categr_count": 1,
            **{f"{split}_data": str(self.raw / f"{split}.csv") for split in ("train", "valid", "test")},
        }
        (self.settings / "model_config.yaml").write_text(yaml.safe_dump({"Base": {}, "small_run": model}))
        (self.settings / "dataset_config.yaml").write_text(yaml.safe_dump({"small": dataset}))

    def write_features(self) -> None:
        """Write the values in an order of its own for each field, as FuxiCTR 2.3 writes them."""
        spec = {"source": "", "type": "categorical", "padding_idx": 0, "vocab_size": NUM_ROWS + 2}
        self.places = {
            name: np.random.default_rng(field).permutation(NUM_ROWS) + 1 for field, name in enumerate(COLUMNS)
        }
        vocabularies = {
            name: {
                "__PAD__": 0,
                **{f"{row}.0": int(place) for row, place in enumerate(places)},
                "__OOV__": NUM_ROWS + 1,
            }
            for name, places in self.places.items()
        }
        features = {"dataset_id": "small", "num_fields": NUM_FIELDS, "labels": ["label"],
                    "features": [{name: spec} for name in COLUMNS]}  # fmt: skip
        (self.settings / "feature_map.json").write_text(json.dumps(features, indent=4))
        (self.settings / "feature_vocab.json").write_text(json.dumps(vocabularies, indent=4))

    def make_state(self) -> OrderedDict[str, Tensor]:
        state: OrderedDict[str, Tensor] = OrderedDict()
        for field, name in enumerate(COLUMNS):
            table = torch.full((NUM_ROWS + 2, DIM), 0.25)
            table[0] = 0
            table[torch.from_numpy(self.places[name])] = torch.from_numpy(ARRAYS["in.embeddings"][:, field]).float()
            state[f"embedding_layer.embedding_layer.embedding_layers.{name}.weight"] = table
        for key, array in ARRAYS.items():
            if key.startswith("param."):
                state[key.removeprefix("param.")] = torch.from_numpy(array).float()
        return state

    def write_recipe(self, columns: list[str]) -> None:
        data = {
            "prepared": str(self.folder / f"prepared{len(columns)}{columns[0]}"),
            "files": {"folder": str(self.raw), **{split: f"{split}.csv" for split in ("train", "valid", "test")}},
            "label": "label",
            "fields": [{"kind": "categorical", "column": columns, "min_count": 1}],
        }
        model = {"kind": "logistic_regression"}
        self.recipe.write_text(yaml.safe_dump({"name": "small", "data": data, "model": model}))

    def imported(self, **changes: Any) -> ImportedRun:
        given = {"settings": self.settings, "data": self.recipe, "run": self.folder / "run", **changes}
        return import_published(self.checkpoint, **given)
