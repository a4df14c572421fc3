import torch

from rankelastor.nn.mixing.score_matrices import BasisScores, FreeScores, LowRankScores


def test_scores_of_low_rank_have_that_rank() -> None:
    (scores,) = LowRankScores(size=6, rank=2)()
    assert int(torch.linalg.matrix_rank(scores.detach())) == 2


def test_scores_from_a_basis_are_its_weighted_sums() -> None:
    scores = BasisScores(count=2, size=2, num_bases=2)
    scores.weights.data = torch.tensor([[1.0, 0.0], [2.0, -1.0]])
    scores.bases.data = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [1.0, 0.0]]])
    assert scores().tolist() == [[[1.0, 2.0], [3.0, 4.0]], [[2.0, 3.0], [5.0, 8.0]]]


def test_free_scores_are_the_parameters_with_the_deviation_of_one_matrix() -> None:
    torch.manual_seed(0)
    scores = FreeScores(count=50, size=20)
    assert scores() is scores.scores
    torch.testing.assert_close(scores.scores.std(), torch.tensor(20**-0.5), atol=0.01, rtol=0)
