"""Write the dated report: all rounds as JSON, medians and ranges as a Markdown table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_report(path: Path, facts: dict[str, Any], results: dict[str, Any]) -> None:
    """Write ``path``.json and ``path``.md."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"environment": facts, "results": results}, indent=1)
    path.with_name(f"{path.name}.json").write_text(text + "\n", encoding="utf-8")
    path.with_name(f"{path.name}.md").write_text(_markdown(path.name, facts, results), encoding="utf-8")


def _markdown(title: str, facts: dict[str, Any], results: dict[str, Any]) -> str:
    lines = [f"# {title}", "", *(f"- {key}: {value}" for key, value in facts.items()), ""]
    lines += [
        "Each variant in its own process, alternating; ratio = published / ours, median (lowest to highest round).",
        "",
        "Examples/s, and the share of the peak, that of a large matrix product in our precision: published, ours.",
        "",
        "| workload | what | published ms | ours ms | ratio | examples/s | share of the peak | target |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, figures in results.items():
        for what, figure in figures.items():
            if isinstance(figure, dict) and "ratio" in figure:
                spread = f"{figure['ratio']:.2f} ({figure['ratio_low']:.2f} to {figure['ratio_high']:.2f})"
                times = f"{figure['published_ms']:.2f} | {figure['ours_ms']:.2f}"
                lines.append(f"| {name} | {what} | {times} | {spread} | {_format_speed(figure)} | {figure['target']} |")
    lines += ["", "| workload | peak memory, published MB | ours MB | share |", "| --- | --- | --- | --- |"]
    for name, figures in results.items():
        if "peak_mb" in figures:
            theirs, ours = figures["peak_mb"]["published"], figures["peak_mb"]["ours"]
            lines.append(f"| {name} | {theirs:.0f} | {ours:.0f} | {ours / theirs:.0%} |")
    return "\n".join(lines) + "\n"


def _format_speed(figure: dict[str, Any]) -> str:
    rates, shares = figure["examples_per_second"], figure["share_of_peak"]
    return f"{rates['published']:,.0f}, {rates['ours']:,.0f} | {shares['published']:.1%}, {shares['ours']:.1%}"
