"""The trajectories of a report as one plotly figure, for notebooks and scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from plotly import graph_objects

from rankelastor.errors import SettingsError
from rankelastor.spectrum.measures import find_measure
from rankelastor.spectrum.report.stage_names import stage_label
from rankelastor.spectrum.runs.run_spectrum import RunSpectrum
from rankelastor.spectrum.trajectory import Trajectory

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""The palette of Okabe and Ito (2008)."""
DASHES = ("solid", "dash", "dot", "dashdot")


def trajectory_figure(spectra: Sequence[RunSpectrum], *, measure: str) -> Figure:
    """Draw the measure at each stage of each model, with its 95 % interval as error bars.

    Raises:
        SettingsError: no model has a trajectory of the measure.
    """
    title = find_measure(measure).title
    paths = [run.trajectories[measure] for run in spectra if measure in run.trajectories]
    if not paths:
        raise SettingsError(f"a plot must show at least one trajectory of the {title}, but there is none")
    figure = graph_objects.Figure([_curve(index, path) for index, path in enumerate(paths)])
    over = "seeds" if any(path.num_seeds > 1 for path in paths) else "examples"
    matrices = " and ".join(dict.fromkeys(path.matrix for path in paths))
    figure.update_layout(
        template="simple_white",
        title={"text": f"{title[0].upper()}{title[1:]} of {matrices}", "font": {"size": 14}},
        yaxis={"title": f"{title}, 95 % intervals over {over}", "rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        showlegend=True,
    )
    return figure


def _curve(index: int, path: Trajectory) -> Any:
    halves = [
        0.0 if stage.confidence_interval is None else (stage.confidence_interval[1] - stage.confidence_interval[0]) / 2
        for stage in path.stages
    ]
    return graph_objects.Scatter(
        name=escape(path.name),
        x=[escape(stage_label(stage.point)) for stage in path.stages],
        y=[stage.mean for stage in path.stages],
        error_y={"type": "data", "array": halves, "visible": any(halves)},
        mode="lines+markers",
        line={"color": COLOURS[index % len(COLOURS)], "dash": DASHES[index % len(DASHES)]},
        hovertemplate=[
            f"%{{x}}: %{{y:.3f}} of {stage.max_possible_rank} possible<extra>{escape(path.name)}</extra>"
            for stage in path.stages
        ],
    )
