"""Start the output bias of a ranker at the label rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rankelastor.models.cost import blank_batch
from rankelastor.models.ranker import Ranker
from rankelastor.schema import Batch, FeatureSchema

_PROBE_EXAMPLES = 2
_TOLERANCE = 1e-4


def set_output_bias(ranker: Ranker, schema: FeatureSchema, logits: Sequence[float]) -> bool:
    """Add one logit per task to the output bias; return False, without a change, if the ranker has none.

    The published protocol starts at zero, and so does the default; docs/log.md compares the two.

    Args:
        ranker: the ranker, changed in place.
        schema: its features and tasks.
        logits: logit of the label rate of each task.
    """
    bias = find_output_bias(ranker, schema)
    if bias is None:
        return False
    with torch.no_grad():
        bias.add_(torch.tensor(logits, dtype=bias.dtype, device=bias.device))
    return True


def find_output_bias(ranker: Ranker, schema: FeatureSchema) -> nn.Parameter | None:
    """Find the parameter (task,) that shifts each logit by exactly what is added to it.

    Every parameter of this shape is tried on a batch of blanks, the last one first, so that a model need not say which
    it is. The ranker must have real values.
    """
    was_training = ranker.training
    batch = blank_batch(ranker, schema, num_examples=_PROBE_EXAMPLES)
    ranker.eval()
    try:
        with torch.no_grad():
            before = ranker(batch)
            candidates = [bias for bias in ranker.network.parameters() if bias.shape == (len(schema.tasks),)]
            return next((bias for bias in reversed(candidates) if _shifts(bias, ranker, batch, before)), None)
    finally:
        ranker.train(was_training)


def _shifts(bias: nn.Parameter, ranker: Ranker, batch: Batch, before: Tensor) -> bool:
    kept, shift = bias.clone(), torch.arange(1, len(bias) + 1, dtype=bias.dtype, device=bias.device)
    bias.add_(shift)
    after = ranker(batch)
    bias.copy_(kept)
    return bool(torch.allclose(after - before, shift.expand_as(before), rtol=0, atol=_TOLERANCE))
