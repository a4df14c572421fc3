"use strict";
// Each figure is a function of the data and the reader's choices that returns {traces, layout, caption}, or {empty: why}.

const number = (value, digits = 2) => (value === null || value === undefined ? "" : value.toFixed(digits));
const whole = (value) => value.toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function pointOf(run, name) {
  return run.recording.points.find((point) => point.point === name);
}

function stageKind(point) {
  if (point === "tokens") return "tokens";
  if (/^block\d+\.mixing$/.test(point)) return "mixing";
  return /^block\d+\.pffn$/.test(point) ? "ffn" : "other";
}

function stageLabel(point, short = false) {
  const kind = stageKind(point);
  const layer = Number((point.match(/\d+/) || [0])[0]) + 1;
  if (kind === "mixing") return short ? `M${layer}` : `mixing ${layer}`;
  if (kind === "ffn") return short ? `F${layer}` : `FFN ${layer}`;
  return kind === "tokens" && short ? "T" : point;
}

function allPoints(runs, key) {
  const names = runs.flatMap((run) => (key === "stages" ? run.stages : run.recording.points.map((point) => point.point)));
  return [...new Set(names)];
}

// One value of a stage for the chosen matrix; null where it does not exist.
function stageValue(run, name, choice) {
  const point = pointOf(run, name);
  if (!point) return null;
  if (choice.matrix === "example") {
    const found = point.examples[choice.measure.name];
    if (!found || found.mean === null) return null;
    return { mean: found.mean, interval: found.confidence_interval, deviation: found.standard_deviation,
      count: found.count, possible: Math.min(point.num_tokens, point.token_dim) };
  }
  const matrix = point[choice.matrix];
  const mean = matrix ? matrix.measures[choice.measure.name] : null;
  if (mean === null) return null;
  return { mean, interval: null, deviation: null, count: point.num_examples - point.num_not_finite,
    possible: Math.min(matrix.num_rows, matrix.num_columns) };
}

function sizesInWords(runs) {
  const sizes = new Set(runs.map((run) => pointOf(run, "tokens")).filter((point) => point && point.num_tokens)
    .map((point) => `${point.num_tokens} × ${point.token_dim}`));
  return [...sizes].join(", ");
}

function matrixInWords(runs, choice) {
  if (choice.matrix === "example") return `each example’s token matrix (T × D, ${sizesInWords(runs)})`;
  const centred = choice.matrix === "flattened_centred" ? ", minus their mean" : "";
  return `one matrix of all examples’ tokens flattened (examples × TD)${centred}`;
}

function overWhat(runs) {
  const counts = [...new Set(runs.map((run) => `${whole(run.num_examples)} examples of the ${run.split} split`))];
  return `over ${counts.join(" and ")}`;
}

function trajectoryFigure(runs, choice) {
  const names = allPoints(runs, "stages");
  const traces = [];
  const possible = new Set();
  let lowest = Infinity;
  let highest = -Infinity;
  for (const run of runs) {
    const stages = run.stages.map((name) => ({ name, place: names.indexOf(name), value: stageValue(run, name, choice) }))
      .filter((stage) => stage.value);
    if (!stages.length) continue;
    const colour = colourOf(run.index);
    const x = stages.map((stage) => stage.place);
    stages.forEach((stage) => possible.add(stage.value.possible));
    const band = (low, high, alpha) => traces.push({ type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()],
      y: [...stages.map(high), ...stages.map(low).reverse()], fill: "toself", fillcolor: faded(colour, alpha),
      line: { width: 0 }, hoverinfo: "skip" });
    if (choice.spread && stages.every((stage) => stage.value.deviation !== null)) {
      band((s) => Math.max(1, s.value.mean - s.value.deviation), (s) => s.value.mean + s.value.deviation, 0.13);
    }
    if (stages.every((stage) => stage.value.interval)) {
      band((s) => s.value.interval[0], (s) => s.value.interval[1], 0.35);
    }
    stages.forEach(({ value }) => {
      const wide = choice.spread && value.deviation !== null ? value.deviation : 0;
      lowest = Math.min(lowest, value.mean - wide);
      highest = Math.max(highest, value.mean + wide);
    });
    traces.push({ type: "scatter", mode: "lines+markers", name: safe(run.name), x, y: stages.map((s) => s.value.mean),
      line: { color: colour, width: 2.5, dash: dashOf(run.index) },
      marker: { size: 9, symbol: stages.map((s) => MARKERS[stageKind(s.name)]), color: colour },
      hovertemplate: stages.map(({ name, value }) => `<b>${safe(run.name)}</b><br>${safe(stageLabel(name))}: `
        + `${number(value.mean, 3)}${value.interval ? `<br>95 % interval ${number(value.interval[0], 3)} to ${number(value.interval[1], 3)}` : ""}`
        + `<br>${whole(value.count)} examples<extra></extra>`) });
  }
  if (!traces.length) return { empty: "No stage has a value to draw." };
  const references = [...possible].map((y) => ({ y, text: `largest possible: ${whole(y)}`, dash: "dash" }));
  if (choice.matrix === "example") {
    const gaussian = new Map(runs.map((run) => run.trajectories[choice.measure.name]).filter(Boolean)
      .map((path) => [path.gaussian_reference.toFixed(3), path.gaussian_reference]));
    gaussian.forEach((y) => references.push({ y, text: `Gaussian random matrices: ${number(y)}`, dash: "dot" }));
  }
  const top = choice.whole ? Math.max(...possible) : highest;
  const bottom = choice.whole ? Math.min(1, lowest) : lowest;
  const room = (top - bottom || 1) * 0.08;
  const shown = references.filter(({ y }) => y <= top + room && y >= bottom - room);
  return {
    traces,
    layout: baseLayout({
      height: isNarrow() ? 340 : 460,
      xaxis: axis({ tickmode: "array", tickvals: names.map((_, place) => place),
        ticktext: names.map((name) => safe(stageLabel(name, isNarrow() || names.length > 13))),
        range: [-0.35, names.length - 0.65], showgrid: false }),
      yaxis: axis({ title: choice.measure.title, range: [bottom - room, top + room] }),
      shapes: shown.map(({ y, dash }) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y,
        line: { color: token("soft"), width: 1.2, dash } })),
      annotations: shown.map(({ y, text }) => ({ xref: "paper", x: 0, y, text, showarrow: false, xanchor: "left",
        yanchor: "bottom", bgcolor: token("paper"), borderpad: 1, yshift: 1, font: { size: 12, color: token("soft") } })),
    }),
    caption: `${capital(choice.measure.title)} of ${matrixInWords(runs, choice)}, `
      + (choice.matrix === "example" ? `mean ${overWhat(runs)}. Shaded: 95 % confidence interval of the mean`
        + `${choice.spread ? ", and lighter ± one standard deviation over the examples" : ""}. ` : `${overWhat(runs)}. `)
      + "Circle: tokens, triangle: after a mixing, square: after a per-token FFN. Dashed: the largest possible value for a matrix of this size.",
  };
}

// Merges fine bins so that the filled range has a readable number of bars.
function joinedBins(histogram, low, high, join) {
  const fine = (histogram.high - histogram.low) / histogram.counts.length;
  const bins = [];
  for (let start = low; start < high; start += join) {
    const part = histogram.counts.slice(start, start + join);
    bins.push({ from: histogram.low + start * fine, to: histogram.low + (start + part.length) * fine,
      count: part.reduce((sum, count) => sum + count, 0) });
  }
  return bins;
}

function filledRange(histograms) {
  let low = Infinity;
  let high = 0;
  for (const { counts } of histograms) {
    const first = counts.findIndex((count) => count > 0);
    if (first < 0) continue;
    low = Math.min(low, first);
    high = Math.max(high, counts.findLastIndex((count) => count > 0) + 1);
  }
  return [low, high];
}

function densitiesFigure(runs, choice) {
  const names = allPoints(runs, "points").filter((name) => runs.some((run) => pointOf(run, name)));
  const found = (run, name) => (pointOf(run, name) || { examples: {} }).examples[choice.measure.name];
  const filled = runs.flatMap((run) => names.map((name) => found(run, name))).filter((entry) => entry && entry.count);
  if (!filled.length) return { empty: "No example has a value to draw." };
  const sameScale = new Set(filled.map((entry) => `${entry.histogram.low} ${entry.histogram.high}`)).size === 1;
  const shared = filledRange(filled.map((entry) => entry.histogram));
  const join = sameScale ? Math.max(1, Math.round((shared[1] - shared[0]) / 60)) : 2;
  const traces = [];
  names.forEach((name, row) => {
    const base = names.length - 1 - row;
    const curves = runs.map((run) => ({ run, entry: found(run, name) })).filter(({ entry }) => entry && entry.count)
      .map(({ run, entry }) => ({ run, entry,
        bins: joinedBins(entry.histogram, ...(sameScale ? shared : filledRange([entry.histogram])), join)
          .map((bin) => ({ ...bin, density: bin.count / entry.count / (bin.to - bin.from) })) }));
    const tallest = Math.max(...curves.flatMap(({ bins }) => bins.map((bin) => bin.density)));
    for (const { run, entry, bins } of curves) {
      const colour = colourOf(run.index);
      const scale = (density) => base + (0.86 * density) / tallest;
      traces.push({ type: "scatter", mode: "lines", name: safe(run.name), fill: "toself", hoveron: "fills",
        x: [bins[0].from, ...bins.flatMap((bin) => [bin.from, bin.to]), bins.at(-1).to],
        y: [base, ...bins.flatMap((bin) => [scale(bin.density), scale(bin.density)]), base],
        line: { color: colour, width: 1.5 }, fillcolor: faded(colour, 0.22),
        text: `${safe(run.name)}, ${safe(stageLabel(name))}: mean ${number(entry.mean, 3)}, ${number(entry.minimum)} to ${number(entry.maximum)}, ${whole(entry.count)} examples`,
        hoverinfo: "text" });
      traces.push({ type: "scatter", mode: "lines", x: [entry.mean, entry.mean], y: [base, base + 0.86], hoverinfo: "skip",
        line: { color: colour, width: 2, dash: dashOf(run.index) } });
    }
  });
  return {
    traces,
    layout: baseLayout({
      height: 90 + names.length * (isNarrow() ? 58 : 74),
      xaxis: axis({ title: choice.measure.title }),
      yaxis: axis({ tickmode: "array", tickvals: names.map((_, row) => names.length - 1 - row), ticks: "",
        ticktext: names.map((name) => safe(stageLabel(name, isNarrow()))), range: [-0.1, names.length] }),
    }),
    caption: `Distribution ${overWhat(runs)} of the ${choice.measure.title} of each example’s token matrix `
      + `(T × D, ${sizesInWords(runs)}), counted in bins, not smoothed. The vertical lines are the means. Each row `
      + "is scaled separately; the runs in a row share one scale.",
  };
}

function trainingFigure(runs, choice) {
  const traces = [];
  const counts = new Set();
  let possible = 0;
  for (const run of runs) {
    const samples = run.samples.map((sample) => ({ ...sample, stage: sample.stages[choice.trainingStage] }))
      .filter(({ stage }) => stage && choice.measure.name in stage.means);
    if (!samples.length) continue;
    samples.forEach((sample) => counts.add(sample.num_examples));
    possible = Math.max(possible, samples[0].stage.max_possible_rank);
    const colour = colourOf(run.index);
    const x = samples.map((sample) => sample.step);
    const mean = samples.map(({ stage }) => stage.means[choice.measure.name]);
    const half = samples.map(({ stage }) => 1.96 * (stage.standard_errors[choice.measure.name] || 0));
    traces.push({ type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], hoverinfo: "skip", fill: "toself",
      y: [...mean.map((value, i) => value + half[i]), ...mean.map((value, i) => value - half[i]).reverse()],
      fillcolor: faded(colour, 0.25), line: { width: 0 } });
    traces.push({ type: "scatter", mode: samples.length < 40 ? "lines+markers" : "lines", name: safe(run.name), x, y: mean,
      line: { color: colour, width: 2.2, dash: dashOf(run.index) }, marker: { size: 5 },
      hovertemplate: samples.map((sample, i) => `<b>${safe(run.name)}</b><br>step ${whole(sample.step)}, epoch ${sample.epoch}: ${number(mean[i], 3)}<extra></extra>`) });
  }
  if (!traces.length) {
    return { empty: "None of the runs shown was sampled during training. `rankelastor train` samples every "
      + "spectrum.every_steps steps unless that setting is null." };
  }
  return {
    traces,
    layout: baseLayout({ height: isNarrow() ? 300 : 380, xaxis: axis({ title: "training step", showgrid: false }),
      yaxis: axis({ title: choice.measure.title }) }),
    caption: `${capital(choice.measure.title)} of each example’s token matrix after ${stageLabel(choice.trainingStage)}, `
      + `mean over ${[...counts].map(whole).join(" or ")} examples of the training batch of the sampled step, dropout on; shaded: `
      + `95 % confidence interval. Largest possible: ${possible}.`,
  };
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
