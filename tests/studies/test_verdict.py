from rankelastor.data.synthetic import BestPossible
from rankelastor.studies.demo import DemoReport, DemoRow
from rankelastor.studies.paired_auc import AucDifference
from rankelastor.studies.verdict import verdict_of


def row(model: str, *, gain: float, rank: float) -> DemoRow:
    return DemoRow(model, 0.5 + 0.3 * gain, 0.5, gain, 47_000, 90_000, 1.0, {"tokens": 1.2, "block1.pffn": rank})


def report(difference: AucDifference, *, gain: float, ranks: tuple[float, float], num_rows: int) -> DemoReport:
    rows = (row("rankmixer", gain=gain, rank=ranks[0]), row("rankelastor", gain=gain, rank=ranks[1]))
    return DemoReport(rows, difference, BestPossible(0.8, 0.4), num_rows=num_rows, num_rank_examples=2000, max_rank=6)


def test_a_small_log_says_why_it_shows_little() -> None:
    said = verdict_of(report(AucDifference(0.01, 0.014), gain=0.2, ranks=(2.4, 2.8), num_rows=20_000))
    assert said[0] == "AUC: no difference that counts; the two differ by 0.0100 (standard error over test rows 0.0140)."
    assert "keep the higher stable rank, 2.80 after the last block against 2.40, as the paper claims" in said[1]
    assert "20,000 rows are few for this log. The better model reaches 20 %" in said[2]
    assert said[2].endswith("Try 200,000 rows.")


def test_what_does_not_show_is_said_too() -> None:
    said = verdict_of(report(AucDifference(-0.02, 0.004), gain=0.8, ranks=(2.9, 2.5), num_rows=200_000))
    assert "RankMixer is better than RankElastor by 0.0200" in said[0]
    assert said[0].endswith("The paper's claim does not show here.")
    assert "have the lower stable rank, 2.50 after the last block against 2.90" in said[1]
    assert not any("Why not more" in sentence for sentence in said)


def test_ranks_that_are_close_are_called_the_same() -> None:
    said = verdict_of(report(AucDifference(0.02, 0.004), gain=0.8, ranks=(2.52, 2.5), num_rows=200_000))
    assert "RankElastor is better than RankMixer by 0.0200" in said[0]
    assert "about the same stable rank" in said[1]
