"""Find the column of users, by which gAUC groups the rows."""

from __future__ import annotations

from collections.abc import Sequence

from rankelastor.drafting.profile import ColumnProfile

_USER_WORDS = (
    frozenset({"user", "uid", "customer", "member", "visitor", "viewer", "person", "account"}),
    frozenset({"session", "query", "request"}),
)
"""Words in the names of columns whose rows compete with one another, the surest first."""
_LEAST_GROUPS = 2
_ROWS_PER_GROUP = 2


def find_group(profiles: Sequence[ColumnProfile]) -> ColumnProfile | None:
    """Find the column of users, else of sessions, with at least two rows each on average; None if there is none.

    Example:
        >>> import pyarrow as pa
        >>> from rankelastor.drafting.profile import profile_table
        >>> find_group(profile_table(pa.table({"ad": [1, 2, 3, 4], "user_id": [7, 7, 8, 8]}))).name
        'user_id'
    """
    for words in _USER_WORDS:
        named = [profile for profile in profiles if profile.words & words and _repeats(profile)]
        plain = [profile for profile in named if profile.words <= words | {"id"}]
        if named:
            return (plain or named)[0]
    return None


def _repeats(profile: ColumnProfile) -> bool:
    num_values = len(profile.distinct)
    if profile.cells is None or profile.lists is not None:
        return False
    return num_values >= max(_LEAST_GROUPS, 1) and profile.num_rows >= _ROWS_PER_GROUP * num_values
