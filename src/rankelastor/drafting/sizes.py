"""Choose batch size, training settings and model size for a number of rows."""

from __future__ import annotations

from rankelastor.config.training import TrainingSettings
from rankelastor.drafting.draft import Choice
from rankelastor.models.rankelastor import RankElastorSettings

_STEPS = 50
_BATCHES = (32, 4096)
_TRAIN_SHARE = 0.8
_FEW_ROWS = 20_000
_SIZES = ((20_000, 8, 8, 8, 1), (500_000, 10, 8, 16, 1), (10_000_000, 16, 12, 24, 2))
_LARGEST = (16, 16, 32, 2)
_REGULARISATION = ((1_000_000, 1e-2), (10_000_000, 1e-4))
_WEAKEST = 1e-5


def choose_model(num_rows: int, num_features: int) -> Choice[RankElastorSettings]:
    """Choose the size of a RankElastor: wider and deeper with more rows, no more tokens than features.

    Example:
        >>> choose_model(5_000, 6).value.num_tokens
        6
    """
    sizes = next((tuple(sizes) for most, *sizes in _SIZES if num_rows <= most), _LARGEST)
    embedding_dim, num_tokens, token_dim, num_blocks = sizes
    num_tokens = max(2, min(num_tokens, num_features))
    dropout = 0.2 if num_rows <= _FEW_ROWS else 0.1
    settings = RankElastorSettings.model_validate(
        {
            "kind": "rankelastor",
            "embedding_dim": embedding_dim,
            "num_tokens": num_tokens,
            "token_dim": token_dim,
            "num_blocks": num_blocks,
            "tokenizer": {"kind": "joint", "hidden_dims": [8 * token_dim], "dropout": dropout},
            "ffn": {"kind": "glu", "hidden_dims": [token_dim], "dropout": dropout},
        }
    )
    blocks = "one block" if num_blocks == 1 else f"{num_blocks} blocks"
    return Choice(settings, f"{num_tokens} tokens of {token_dim} and {blocks} suit {num_rows:,} rows")


def choose_training(num_rows: int) -> Choice[TrainingSettings]:
    """Choose the batch size, at least 50 steps an epoch, and how strongly the embeddings are held back.

    Few rows are noisy on the valid split, so the learning rate falls slowly and training waits longer. With few rows
    weights soon become over-confident while the AUC still rises, so logloss is watched in place of it.

    Example:
        >>> choose_training(9_000).value.batch_size
        128
    """
    train_rows = max(1, int(num_rows * _TRAIN_SHARE))
    least, most = _BATCHES
    batch_size = max(least, min(most, 2 ** ((train_rows // _STEPS).bit_length() - 1 if train_rows >= _STEPS else 0)))
    embedding_l2 = next((strength for rows, strength in _REGULARISATION if num_rows <= rows), _WEAKEST)
    few = num_rows <= _FEW_ROWS
    values = {
        "batch_size": batch_size,
        "learning_rate": 1e-3,
        "embedding_l2": embedding_l2,
        "rate_drop": 0.5,
        "patience": 4,
    } | ({"monitor": "logloss"} if few else {})
    steps = -(-train_rows // batch_size)
    reason = f"{steps:,} steps an epoch; embeddings are held back by L2 of {embedding_l2:g}, more with fewer rows"
    more = "; with few rows weights soon become over-confident, so logloss is watched" if few else ""
    return Choice(TrainingSettings.model_validate(values), reason + more)
