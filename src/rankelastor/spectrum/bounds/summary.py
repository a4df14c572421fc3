"""Summary of the theory check: one line per statement, and the full report as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rankelastor.percent import percent
from rankelastor.spectrum.bounds.monte_carlo import HomogeneityRow, TheoryReport, TheoryRow

WHAT_IT_SAYS = {
    "split_mixing_lower": "the stable rank after split mixing is at least 2 k mu / (sqrt k + sqrt mu)^2",
    "split_mixing_upper": "the stable rank after split mixing is at most about 2 (k + mu)",
    "ffn_rank": "an FFN shared by all tokens maps rank one to at most rank two",
    "ffn_contraction": "such an FFN does not raise the stable rank",
    "block_mixing_reach": "block mixing reaches fewer maps than full mixing",
    "gate_rank": "the gate maps rank k to at least rank min(D, k(k+1)/2)",
    "gate_gain": "the gate raises the stable rank",
}
"""Each statement in words."""


@dataclass(frozen=True)
class StatementSummary:
    """Results for one statement over all settings.

    Attributes:
        statement: name of the statement.
        says: the statement in words.
        num_trials: number of trials in all settings.
        num_covered: number of trials that meet all conditions.
        share_holds_covered: share of these in which the bound holds; None if there are none.
        share_holds_outside: share of the other trials in which the bound holds; None if there are none.
    """

    statement: str
    says: str
    num_trials: int
    num_covered: int
    share_holds_covered: float | None
    share_holds_outside: float | None


def summaries(report: TheoryReport) -> tuple[StatementSummary, ...]:
    """Summarise each statement over all settings, in the order of the paper."""
    names = dict.fromkeys(row.statement for row in report.rows)
    return tuple(_summary(name, [row for row in report.rows if row.statement == name]) for name in names)


def to_markdown(report: TheoryReport) -> str:
    """Format the whole report: summary, meaning for real networks, homogeneity, and every setting."""
    parts = [
        "# The paper's bounds, by Monte Carlo",
        f"{report.num_trials} trials per setting, {len(report.rows)} settings, seed {report.seed}.",
        _table(
            ("statement", "says", "trials", "meet the conditions", "hold where met", "hold elsewhere"),
            [
                (
                    line.statement,
                    line.says,
                    f"{line.num_trials:,}",
                    f"{line.num_covered:,}",
                    exact_percent(line.share_holds_covered),
                    exact_percent(line.share_holds_outside),
                )
                for line in summaries(report)
            ],
        ),
        "## In plain words",
        "\n".join(f"- {sentence}" for sentence in report.sentences.values()),
        "## How far each activation is from homogeneous",
        "sup of |phi(cx) - c phi(x)| / (c scale) for |x| up to the scale; 0 is homogeneous.",
        homogeneity_table(report.homogeneity),
        "## Every setting",
        "\n".join(f"- {row.sentence}" for row in report.rows),
    ]
    return "\n\n".join(parts) + "\n"


def homogeneity_table(rows: Sequence[HomogeneityRow]) -> str:
    """Format a Markdown table with one row per activation and one column per scale."""
    scales = list(dict.fromkeys(row.scale for row in rows))
    found = {(row.activation, row.scale): row.departure for row in rows}
    lines = [
        (activation, *[f"{found[activation, scale]:.3f}" for scale in scales])
        for activation in dict.fromkeys(row.activation for row in rows)
    ]
    return _table(("activation", *[f"scale {scale:g}" for scale in scales]), lines)


def exact_percent(share: float | None) -> str:
    """Format a share as a percentage, blank for None; 100 % and 0 % are shown only where they are exact.

    Example:
        >>> exact_percent(1.0), exact_percent(0.9999), exact_percent(0.514), exact_percent(None)
        ('100 %', '99.9 %', '51.4 %', '')
    """
    if share is None:
        return ""
    if share in (0, 1):
        return percent(share, digits=0)
    return f"{min(max(100 * share, 0.1), 99.9):.1f} %"


def _summary(name: str, rows: Sequence[TheoryRow]) -> StatementSummary:
    num_trials = sum(row.num_trials for row in rows)
    num_covered = round(sum(row.num_trials * row.share_conditions_hold for row in rows))
    held = round(sum(row.num_trials * row.share_bound_holds for row in rows))
    held_covered = round(
        sum(row.num_trials * row.share_conditions_hold * (row.share_bound_holds_given_conditions or 0) for row in rows)
    )
    num_outside = num_trials - num_covered
    return StatementSummary(
        statement=name,
        says=WHAT_IT_SAYS[name],
        num_trials=num_trials,
        num_covered=num_covered,
        share_holds_covered=held_covered / num_covered if num_covered else None,
        share_holds_outside=(held - held_covered) / num_outside if num_outside else None,
    )


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))
