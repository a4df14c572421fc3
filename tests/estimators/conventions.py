"""Run scikit-learn's checks of estimators, and write which pass as a table into docs/estimator.md.

``python -m tests.estimators.conventions`` writes the page anew.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from sklearn.utils.estimator_checks import check_estimator

from rankelastor import ClickRanker

PAGE = Path(__file__).parents[2] / "docs" / "estimator.md"
BEGIN, END = "<!-- checks: begin -->\n", "<!-- checks: end -->\n"

FEW_ROWS = "the check fits fewer than the 5 rows that are the least from which fields are inferred and rows held out"
ORDER = (
    "rows are held out and drawn in an order by their place, so that other places give another, equally good, ranker"
)
SCORE = "the check wants accuracy of well separated classes after a training whose length suits a few dozen rows"
SPARSE = "tables of clicks have columns of names; sparse matrices of numbers are refused with a message"
WEIGHTS = "a weight is no repetition: repeated rows fall into other batches, and into the held-out rows"
CONSTANT = "a column that never changes, or differs in every row, is left out, and a table of nothing else is refused"
REASONS: tuple[tuple[str, str], ...] = (
    (r"rows or more to draft", FEW_ROWS),
    (r"only \d+ of|must hold rows|valid split", FEW_ROWS),
    (r"column to learn from", CONSTANT),
    (r"[Ss]parse", SPARSE),
)
BY_NAME: dict[str, str] = {
    "check_sample_weight_equivalence_on_dense_data": WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": WEIGHTS,
    "check_sample_weights_invariance": WEIGHTS,
    "check_methods_sample_order_invariance": ORDER,
    "check_methods_subset_invariance": "batches of another size may differ in the last bits of float32",
    "check_classifiers_train": SCORE,
    "check_classifiers_classes": SCORE,
}
UNKNOWN = "see the message"


def reason_of(name: str, error: BaseException) -> str:
    """Say why a check cannot pass."""
    if name in BY_NAME:
        return BY_NAME[name]
    text = f"{error} {error.__cause__} {error.__context__}"
    return next((reason for pattern, reason in REASONS if re.search(pattern, text)), UNKNOWN)


def checks() -> list[tuple[str, str, str]]:
    """Run all checks: name, ``passes`` or ``cannot pass``, and the reason, in order of name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = check_estimator(ClickRanker(epochs=1, random_state=1), on_fail=None, on_skip=None)
    rows = {}
    for each in found:
        name, status = each["check_name"], each["status"]
        error = each["exception"]
        passes = status == "passed"
        why = "" if passes else str(error) if status == "skipped" else reason_of(name, error)
        if not passes or name not in rows:
            rows[name] = (name, "passes" if passes else "skipped" if status == "skipped" else "cannot pass", why)
    return sorted(rows.values())


def table() -> str:
    """Write the table in Markdown."""
    rows = checks()
    num_passed = sum(row[1] == "passes" for row in rows)
    lines = [f"{num_passed} of {len(rows)} checks pass.", "", "| check | | why |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {status} | {why} |" for name, status, why in rows)]) + "\n"


def page_with(text: str) -> str:
    """Put a table into the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with(table()), encoding="utf-8")
