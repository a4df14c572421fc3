"""Scores do not depend on how a batch is cut."""

import pytest
import torch
from tests.training.test_step import batch, fresh_ranker

from rankelastor.config.execution import ExecutionSettings
from rankelastor.evaluation import scoring
from rankelastor.evaluation.scoring import Scorer


@pytest.mark.parametrize("work_a_slice", [1, scoring._WORK_A_SLICE])
def test_slices_give_the_scores_of_the_whole_batch(work_a_slice: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_WORK_A_SLICE", work_a_slice)
    ranker, examples = fresh_ranker().eval(), batch(0, 700)
    scorer = Scorer(ranker, ExecutionSettings(), batch_size=8192)
    with torch.no_grad():
        wanted = ranker(examples)[:, 0].double().sigmoid()
    assert torch.allclose(torch.from_numpy(scorer(examples)), wanted, rtol=1e-5)
    scorer.close()
