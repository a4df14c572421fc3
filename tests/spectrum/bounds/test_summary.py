from __future__ import annotations

from rankelastor.spectrum.bounds.monte_carlo import WHAT_FAILS_IN_NETWORKS, HomogeneityRow, TheoryReport, TheoryRow
from rankelastor.spectrum.bounds.summary import WHAT_IT_SAYS, summaries, to_markdown


def row(*, conditions: float, holds: float, holds_given: float | None) -> TheoryRow:
    return TheoryRow("gate_gain", {"rank": 1}, 10, conditions, holds, holds_given, 0.1, -0.1, {}, "A | plain sentence.")


REPORT = TheoryReport(
    seed=0,
    num_trials=10,
    rows=(row(conditions=1.0, holds=0.8, holds_given=0.8), row(conditions=0.0, holds=0.5, holds_given=None)),
    homogeneity=(HomogeneityRow("gelu", 0.1, 0.08), HomogeneityRow("relu", 0.1, 0.0)),
    sentences={"gate_gain": "It holds here and there."},
)


def test_a_summary_counts_trials_inside_and_outside_the_conditions() -> None:
    (line,) = summaries(REPORT)
    assert (line.num_trials, line.num_covered) == (20, 10)
    assert (line.share_holds_covered, line.share_holds_outside) == (0.8, 0.5)


def test_every_statement_has_its_words() -> None:
    assert WHAT_IT_SAYS.keys() == WHAT_FAILS_IN_NETWORKS.keys()


def test_markdown_holds_every_part() -> None:
    text = to_markdown(REPORT)
    assert "| gate_gain | the gate raises the stable rank | 20 | 10 | 80.0 % | 50.0 % |" in text
    assert "- It holds here and there." in text
    assert "| gelu | 0.080 |" in text
    assert text.count("A | plain sentence.") == 2
