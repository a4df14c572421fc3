"""The tables of the load test, and what of its goals is met."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.serving.load import Case

_MOST_OF_IN_PROCESS, _MORE_MS = 1.3, 2.0
_LEAST_GOODPUT = 0.9
_LEAST_OF_RATIO = 0.7
_LEAST_AT_ONE = 2.0
_OF_OVERLOAD = frozenset({200, 429, 503})


def case_line(case: Case) -> str:
    """Show a case as one row of a table."""
    others = {status: count for status, count in sorted(case.statuses.items()) if status != 200}  # noqa: PLR2004
    asked = f"{case.rate:.1f}/s" if case.rate else str(case.clients)
    times = " ".join(f"{case.percentile(share):>9.2f}" for share in (0.5, 0.95, 0.99))
    return f"{case.service:<8} {case.candidates:>10} {asked:>9} {case.goodput:>10.1f} {times}  {others or ''}"


BEGIN, END = "<!-- serving: begin -->\n", "<!-- serving: end -->\n"
CASE_HEAD = "service  candidates   clients requests/s    p50 ms    p95 ms    p99 ms  other answers"


def best(cases: Iterable[Case], service: str, candidates: int) -> float:
    """Return the most requests/s of a service at a number of candidates."""
    return max(
        (each.goodput for each in cases if (each.service, each.candidates) == (service, candidates) and each.clients),
        default=0.0,
    )


def goals(
    cases: Sequence[Case], overloads: Sequence[Case], in_process: Mapping[int, Mapping[str, float]]
) -> list[tuple[str, str, bool]]:
    """Judge the goals: what was measured, what was wanted, and whether it is met."""
    return [*_latency(cases, in_process), *_overload(cases, overloads), *_against_plain(cases, in_process)]


def _latency(cases: Sequence[Case], in_process: Mapping[int, Mapping[str, float]]) -> list[tuple[str, str, bool]]:
    found = [each for each in cases if (each.service, each.candidates, each.clients) == ("ours", 500, 1)]
    lines = []
    for case in found:
        alone = min(in_process[500][name] for name in ("predict", "service"))
        most, p50 = _MOST_OF_IN_PROCESS * alone + _MORE_MS, case.percentile(0.5)
        lines.append(
            (
                f"500 candidates, one client: p50 {p50:.1f} ms",
                f"at most 1.3 * {alone:.1f} + 2 = {most:.1f}",
                p50 <= most,
            )
        )
    return lines


def _overload(cases: Sequence[Case], overloads: Sequence[Case]) -> list[tuple[str, str, bool]]:
    lines = []
    for case in overloads:
        most = best(cases, "ours", case.candidates)
        share, foreign = case.goodput / most, set(case.statuses) - _OF_OVERLOAD
        words = f"{case.candidates} candidates at twice the load: {100 * share:.0f} % of the best"
        words += f", and answers {sorted(foreign)}" if foreign else ", other answers 429 and 503 alone"
        lines.append((words, "at least 90 %, all errors 429 or 503", share >= _LEAST_GOODPUT and not foreign))
    return lines


def _against_plain(cases: Sequence[Case], in_process: Mapping[int, Mapping[str, float]]) -> list[tuple[str, str, bool]]:
    lines = []
    for candidates, times in in_process.items():
        theirs = best(cases, "plain", candidates)
        if not theirs or "plain" not in times:
            continue
        ratio = best(cases, "ours", candidates) / theirs
        alone = times["plain"] / min(times["predict"], times["service"])
        least = _LEAST_AT_ONE if candidates == 1 else _LEAST_OF_RATIO * alone
        wanted = "at least 2" if candidates == 1 else f"at least .7 * {alone:.2f} (in one process) = {least:.2f}"
        words = f"{candidates} candidates: {ratio:.2f} times the plain service's requests/s"
        lines.append((words, wanted, ratio >= least))
    return lines


def markdown(
    cases: Sequence[Case], overloads: Sequence[Case], judged: Sequence[tuple[str, str, bool]], *, where: str
) -> str:
    """Write tables for the documentation."""
    lines = [where, "", "| service | candidates | clients | requests/s | p50, ms | p95, ms | p99, ms |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    for case in [*cases, *overloads]:
        asked = f"{case.rate:.0f} requests/s" if case.rate else str(case.clients)
        times = " | ".join(f"{case.percentile(share):.1f}" for share in (0.5, 0.95, 0.99))
        lines.append(f"| {case.service} | {case.candidates} | {asked} | {case.goodput:.1f} | {times} |")
    lines += ["", "| measured | goal | |", "| --- | --- | --- |"]
    lines += [f"| {found} | {wanted} | {'met' if met else 'not met'} |" for found, wanted, met in judged]
    return "\n".join(lines) + "\n"


def page_with(page: str, text: str) -> str:
    """Put tables into a page in place of those before."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}"
