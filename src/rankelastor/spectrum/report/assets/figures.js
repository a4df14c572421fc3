"use strict";
// Each figure is a function of the data and the reader's choices that returns {traces, layout, caption}, or {empty: why}.

function pointOf(run, name) {
  return run.recording.points.find((point) => point.point === name);
}

function allPoints(runs, key) {
  const names = runs.flatMap((run) => (key === "stages" ? run.stages : run.recording.points.map((point) => point.point)));
  return [...new Set(names)];
}

// One value of a stage for the chosen matrix; null where it does not exist.
function stageValue(run, name, choice) {
  const point = pointOf(run, name);
  if (!point) return null;
  const measure = choice.measure.name;
  if (choice.matrix === "example") {
    const found = point.examples[measure];
    if (!found || found.mean === null) return null;
    return { mean: found.mean, interval: found.confidence_interval, deviation: found.standard_deviation, seeds: found.seeds,
      count: found.count, possible: Math.min(point.num_tokens, point.token_dim) };
  }
  const matrix = point[choice.matrix];
  const mean = matrix ? matrix.measures[measure] : null;
  if (mean === null || mean === undefined) return null;
  return { mean, interval: matrix.intervals[measure] || null, deviation: null, seeds: matrix.seeds[measure] || [],
    count: point.num_examples - point.num_not_finite, possible: Math.min(matrix.num_rows, matrix.num_columns) };
}

// The curve of a run with its bands, and a thin line for each of its seeds.
function runTraces(run, stages, choice) {
  const colour = colourOf(run.index);
  const x = stages.map((stage) => stage.place);
  const band = (low, high, alpha) => ({ type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()],
    y: [...stages.map(high), ...stages.map(low).reverse()], fill: "toself", fillcolor: faded(colour, alpha),
    line: { width: 0 }, hoverinfo: "skip" });
  const traces = [];
  if (choice.spread && stages.every((stage) => stage.value.deviation !== null)) {
    traces.push(band((s) => Math.max(1, s.value.mean - s.value.deviation), (s) => s.value.mean + s.value.deviation, 0.13));
  }
  if (stages.every((stage) => stage.value.interval)) {
    traces.push(band((s) => s.value.interval[0], (s) => s.value.interval[1], isGroup(run) ? 0.2 : 0.35));
  }
  run.seeds.forEach((seed, place) => traces.push({ type: "scatter", mode: "lines", x, y: stages.map((s) => s.value.seeds[place]),
    line: { color: faded(colour, 0.6), width: 1 }, hoverinfo: "skip", name: safe(seed.name) }));
  traces.push({ type: "scatter", mode: "lines+markers", name: safe(run.name), x, y: stages.map((s) => s.value.mean),
    line: { color: colour, width: 2.5, dash: dashOf(run.index) },
    marker: { size: 9, symbol: stages.map((s) => MARKERS[stageKind(s.name)]), color: colour },
    hovertemplate: stages.map(({ name, value }) => `<b>${safe(run.name)}</b><br>${safe(stageLabel(name))}: `
      + `${number(value.mean, 3)}${value.interval ? `<br>95 % interval ${number(value.interval[0], 3)} to ${number(value.interval[1], 3)}` : ""}`
      + `<br>${whole(value.count)} examples${isGroup(run) ? `, ${run.seeds.length} seeds` : ""}<extra></extra>`) });
  return traces;
}

// Lines to compare with. They lie below the curves, and their labels outside, so that they hide nothing.
function referenceLines(runs, stages, choice) {
  const possible = new Set(stages.map(({ value }) => value.possible));
  if (possible.size > 2) return [];
  const short = isNarrow();
  const lines = [...possible].map((y) => ({ y, text: short ? `max ${whole(y)}` : `largest possible: ${whole(y)}`, dash: "dash" }));
  if (possible.size > 1) return lines;
  const paths = runs.filter((run) => run.matrix === choice.matrix).map((run) => run.trajectories[choice.measure.name]).filter(Boolean);
  const gaussian = new Map(paths.map((path) => [path.gaussian_reference.toFixed(3), path.gaussian_reference]));
  gaussian.forEach((y) => lines.push({ y, text: short ? `random ${number(y)}` : `random matrices: ${number(y)}`, dash: "dot" }));
  return lines;
}

// Moves labels apart that would stand on one another; heights are in the units of the axis.
function labelHeights(lines, apart) {
  let last = -Infinity;
  return [...lines].sort((one, other) => one.y - other.y).map((line) => {
    last = Math.max(line.y, last + apart);
    return { ...line, label: last };
  });
}

function trajectoryFigure(runs, choice) {
  const names = allPoints(runs, "stages");
  const stagesOf = new Map(runs.map((run) => [run, run.stages
    .map((name) => ({ name, place: names.indexOf(name), value: stageValue(run, name, choice) })).filter((stage) => stage.value)]));
  const drawn = runs.filter((run) => stagesOf.get(run).length);
  if (!drawn.length) return { empty: "No stage has a value to draw." };
  const stages = drawn.flatMap((run) => stagesOf.get(run));
  const around = ({ value }) => [value.mean, ...value.seeds, ...(value.interval || []),
    ...(choice.spread && value.deviation !== null ? [value.mean - value.deviation, value.mean + value.deviation] : [])];
  const highest = Math.max(...stages.flatMap(around));
  const lowest = Math.min(...stages.flatMap(around));
  const height = isNarrow() ? 340 : 460;
  const top = choice.whole ? Math.max(...stages.map(({ value }) => value.possible)) : highest;
  const bottom = choice.whole ? Math.min(1, lowest) : lowest;
  const room = (top - bottom || 1) * 0.08;
  const shown = labelHeights(referenceLines(drawn, stages, choice).filter(({ y }) => y <= top + room && y >= bottom - room),
    ((top - bottom + 2 * room) * 18) / (height - 80));
  const labels = names.map((name) => safe(stageLabel(name, isNarrow() || names.length > 13)));
  return {
    traces: [...possibleTrace(drawn, stagesOf), ...drawn.flatMap((run) => runTraces(run, stagesOf.get(run), choice))],
    layout: baseLayout({
      height, margin: { l: 56, r: shown.length ? (isNarrow() ? 92 : 150) : 16, t: 16, b: 48 },
      xaxis: axis({ tickmode: "array", tickvals: names.map((_, place) => place), ticktext: labels,
        range: [-0.35, names.length - 0.65], showgrid: false }),
      yaxis: axis({ title: choice.measure.title, range: [bottom - room, top + room] }),
      shapes: shown.map(({ y, dash }) => ({ type: "line", layer: "below", xref: "paper", x0: 0, x1: 1, y0: y, y1: y,
        line: { color: token("soft"), width: 1.2, dash } })),
      annotations: shown.map(({ label, text }) => ({ xref: "paper", x: 1, y: label, text, showarrow: false, xanchor: "left",
        yanchor: "middle", xshift: 4, font: { size: 12, color: token("soft") } })),
    }),
    caption: trajectoryCaption(drawn, stages, shown, choice),
  };
}

// Where the stages have several sizes, what is possible is a curve of its own.
function possibleTrace(runs, stagesOf) {
  const stages = stagesOf.get(runs[0]);
  if (new Set(runs.flatMap((run) => stagesOf.get(run)).map(({ value }) => value.possible)).size <= 2) return [];
  return [{ type: "scatter", mode: "lines", x: stages.map((stage) => stage.place), y: stages.map((stage) => stage.value.possible),
    line: { color: token("soft"), width: 1.2, dash: "dash", shape: "hvh" }, name: "largest possible",
    hovertemplate: "largest possible: %{y}<extra></extra>" }];
}

function trajectoryCaption(runs, stages, shown, choice) {
  const bands = stages.some(({ value }) => value.interval) ? ` Shaded: ${intervalInWords(runs)}` : "";
  const spread = bands && choice.spread ? ", and lighter ± one standard deviation over the examples" : "";
  const kinds = stages.some(({ name }) => stageKind(name) === "mixing")
    ? " Circle: tokens, triangle: after a mixing, square: after a per-token FFN." : "";
  const thin = runs.some(isGroup) ? " Thin lines: the single seeds." : "";
  const random = shown.some(({ dash }) => dash === "dot") ? "; dotted: the mean over Gaussian random matrices of this size" : "";
  return `${capital(choice.measure.title)} of ${matrixInWords(runs, choice)}, ${choice.matrix === "example" ? "mean " : ""}${overWhat(runs)}.`
    + `${bands}${spread}${bands ? "." : ""}${thin}${kinds} Dashed: the largest possible value for a matrix of this size${random}.`;
}
