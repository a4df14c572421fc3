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

WEIGHTS = "a weight is no repetition: repeated rows fall into other batches, and into the held-out rows"
LAST_BITS = "batches of another size may differ in the last bits of float32"
UNKNOWN = "see the message"
_DIFFERENCE = re.compile(r"Max absolute difference[^:]*: ([\d.e+-]+)")
_LARGEST = 1e-5


def reason_of(name: str, error: BaseException) -> str:
    """Say why a check cannot pass, if its message is that of a reason that is known."""
    text = f"{error} {error.__cause__} {error.__context__}"
    weights_repeat = "fitting with `sample_weight` is not equivalent to fitting with removed or repeated data points"
    if name.startswith("check_sample_weight_equivalence") and weights_repeat in text:
        return WEIGHTS
    if name == "check_methods_subset_invariance" and "is not invariant when applied to a subset" in text:
        differences = [float(found) for found in _DIFFERENCE.findall(text)]
        return LAST_BITS if differences and max(differences) < _LARGEST else UNKNOWN
    return UNKNOWN


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
