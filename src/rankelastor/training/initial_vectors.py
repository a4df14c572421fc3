"""Give a fresh ranker the pretrained vectors of its data set."""

from __future__ import annotations

from typing import cast

import torch

from rankelastor.data.prepared import PreparedDataset
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding


def set_pretrained_vectors(ranker: Ranker, dataset: PreparedDataset) -> Ranker:
    """The ranker, whose pretrained features start from the vectors of the prepared folder.

    Later the vectors come from the weights: a run folder needs no prepared one.

    Raises:
        DataError: a file of vectors is missing or damaged.
    """
    places = {feature.name: str(place) for place, feature in enumerate(dataset.schema.with_ids)}
    for name, vectors in dataset.pretrained_vectors().items():
        embedding = cast("PretrainedEmbedding", ranker.embedding.pretrained[places[name]])
        embedding.set_vectors(torch.from_numpy(vectors.copy()))  # the mapped file cannot be written
    return ranker
