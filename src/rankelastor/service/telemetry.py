"""Counts of a service, as Prometheus reads them. Nothing of a request's content is kept."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """Counters and a histogram of one process.

    Example:
        >>> telemetry = Telemetry()
        >>> telemetry.answered("/v1/score", 200, 0.004)
        >>> [line for line in telemetry.text(queue_rows=0).splitlines() if line.startswith("rankelastor_requests")]
        ['rankelastor_requests_total{path="/v1/score",status="200"} 1']
    """

    def __init__(self) -> None:
        self._answers: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sums: Counter[str] = Counter()
        self._rows = 0
        self._batches = 0
        self._swaps: Counter[str] = Counter()

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._answers[path, status] += 1
        buckets = self._buckets.setdefault(path, [0] * (len(_SECONDS) + 1))
        buckets[bisect_left(_SECONDS, seconds)] += 1
        self._sums[path] += seconds  # type: ignore[assignment]

    def scored(self, num_rows: int) -> None:
        """Count a batch."""
        self._batches += 1
        self._rows += num_rows

    def swapped(self, what: str) -> None:
        """Count a new bundle that was ``taken`` or ``refused``."""
        self._swaps[what] += 1

    def text(self, *, queue_rows: int) -> str:
        """Write all counts in Prometheus' text format."""
        lines = ["# TYPE rankelastor_requests_total counter"]
        lines += [
            f'rankelastor_requests_total{{path="{path}",status="{status}"}} {count}'
            for (path, status), count in sorted(self._answers.items())
        ]
        lines.append("# TYPE rankelastor_request_seconds histogram")
        for path, buckets in sorted(self._buckets.items()):
            total = 0
            for edge, count in zip([*map(str, _SECONDS), "+Inf"], buckets, strict=True):
                total += count
                lines.append(f'rankelastor_request_seconds_bucket{{path="{path}",le="{edge}"}} {total}')
            lines.append(f'rankelastor_request_seconds_sum{{path="{path}"}} {self._sums[path]:.6f}')
            lines.append(f'rankelastor_request_seconds_count{{path="{path}"}} {total}')
        lines += ["# TYPE rankelastor_scored_rows_total counter", f"rankelastor_scored_rows_total {self._rows}"]
        lines += ["# TYPE rankelastor_batches_total counter", f"rankelastor_batches_total {self._batches}"]
        lines += ["# TYPE rankelastor_queue_rows gauge", f"rankelastor_queue_rows {queue_rows}"]
        lines.append("# TYPE rankelastor_bundles_total counter")
        lines += [f'rankelastor_bundles_total{{what="{what}"}} {count}' for what, count in sorted(self._swaps.items())]
        return "\n".join(lines) + "\n"
