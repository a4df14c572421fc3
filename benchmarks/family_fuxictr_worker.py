"""Worker of family_fuxictr.py, run by the Python with fuxictr: train a model of the zoo with FuxiCTR's own trainer.

``python family_fuxictr_worker.py MODEL_ZOO FOLDER`` reads FOLDER/settings.json and FOLDER/rows.npz, and writes
FOLDER/scores.npz (probabilities of valid and test) and FOLDER/result.json (epochs, seconds, parameters).
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peers_fuxictr import build

Arrays = Any
Batch = dict[str, torch.Tensor]


class Batches:
    """The batches of a split, as FuxiCTR's trainer reads them: field name -> ids, and the label."""

    def __init__(self, rows: Arrays, split: str, names: list[str], *, size: int, shuffle: bool) -> None:
        ids, labels = rows[f"{split}.ids"], rows[f"{split}.labels"]
        self._columns = {name: torch.from_numpy(ids[:, place].copy()).long() for place, name in enumerate(names)}
        self._columns["label"] = torch.from_numpy(labels)
        self._num_rows, self._size, self._shuffle = len(labels), size, shuffle

    def __len__(self) -> int:
        """Count the batches, the last uneven one too."""
        return math.ceil(self._num_rows / self._size)

    def __iter__(self) -> Iterator[Batch]:
        """Iterate over the batches of one epoch."""
        order = torch.randperm(self._num_rows) if self._shuffle else torch.arange(self._num_rows)
        for chosen in order.split(self._size):
            yield {name: column[chosen] for name, column in self._columns.items()}


def main() -> None:
    """Train, load the best weights of valid, and score."""
    zoo, folder = Path(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    torch.manual_seed(settings["seed"])
    model = build(zoo, settings)
    os.makedirs(model.model_dir, exist_ok=True)  # noqa: PTH103 - FuxiCTR names it as text
    rows = np.load(folder / "rows.npz")
    names = [field["name"] for field in settings["fields"]]
    train = Batches(rows, "train", names, size=settings["batch_size"], shuffle=True)
    valid, test = (Batches(rows, split, names, size=10_000, shuffle=False) for split in ("valid", "test"))
    began = time.perf_counter()
    model.fit(train, epochs=settings["epochs"], validation_data=valid)
    seconds = time.perf_counter() - began
    np.savez(folder / "scores.npz", valid=model.predict(valid), test=model.predict(test))
    dense = sum(each.numel() for name, each in model.named_parameters() if "embedding" not in name)
    result = {"seconds": seconds, "epochs": model._epoch_index + 1, "dense_parameters": dense}  # noqa: SLF001
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
