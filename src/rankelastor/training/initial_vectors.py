"""Copy the pretrained vectors of a data set into a ranker."""

from __future__ import annotations

from typing import cast

import torch

from rankelastor.data.prepared import PreparedDataset
from rankelastor.models.ranker import Ranker
from rankelastor.nn.embedding.pretrained import PretrainedEmbedding


def set_pretrained_vectors(ranker: Ranker, dataset: PreparedDataset) -> Ranker:
    """Copy the vectors of the prepared folder into the ranker's pretrained embeddings, and return the ranker.

    Only training needs this: the weights of a run folder contain the vectors.

    Raises:
        DataError: a file of vectors is missing or damaged.
    """
    places = {feature.name: str(place) for place, feature in enumerate(dataset.schema.with_ids)}
    for name, vectors in dataset.pretrained_vectors().items():
        embedding = cast("PretrainedEmbedding", ranker.embedding.pretrained[places[name]])
        embedding.set_vectors(torch.from_numpy(vectors.copy()))  # the memory-mapped file is read-only
    return ranker
