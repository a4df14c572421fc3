"use strict";
// Figures of embedding tables, singular values, mixings, and of rank against AUC; same form as those in figures.js.

function tableRows(runs, choice) {
  return runs.flatMap((run) => run.tables.map((table) => {
    const { measures, num_rows: rows, num_columns: columns } = table.spectrum;
    const rank = measures[choice.measure.name];
    return { run: run.name, of: run, index: run.index, field: table.field, rows, columns, rank,
      interval: table.spectrum.intervals[choice.measure.name] || null,
      share: rank === null ? null : rank / Math.min(rows, columns), seen: table.num_occurrences,
      each: table.num_known_values ? table.num_occurrences / table.num_known_values : null };
  }));
}

function tablesFigure(runs, choice) {
  const rows = tableRows(runs, choice).filter((row) => row.share !== null);
  if (!rows.length) return { empty: "The runs shown have no embedding tables." };
  const mean = new Map();
  rows.forEach((row) => mean.set(row.field, [...(mean.get(row.field) || []), row.share]));
  const fields = [...mean.keys()].sort((one, other) => average(mean.get(other)) - average(mean.get(one)));
  const traces = [...runs].reverse().map((run) => {
    const own = fields.map((field) => rows.find((row) => row.index === run.index && row.field === field)).filter(Boolean);
    return { type: "bar", orientation: "h", name: safe(run.name), y: own.map((row) => safe(row.field)), x: own.map((row) => 100 * row.share),
      error_x: { type: "data", visible: isGroup(run), color: token("ink"), thickness: 1, width: 3,
        array: own.map((row) => (row.interval ? (100 * (row.interval[1] - row.interval[0])) / 2 / Math.min(row.rows, row.columns) : 0)) },
      marker: { color: colourOf(run.index), pattern: { shape: ["", "/", ".", "x", "-", "|"][run.index % 6],
        fillmode: "overlay", fgcolor: token("paper"), fgopacity: 0.55, size: 7, solidity: 0.22 } },
      hovertemplate: own.map((row) => `<b>${safe(row.field)}</b>, ${safe(run.name)}<br>${number(row.rank)} of ${Math.min(row.rows, row.columns)} possible<br>`
        + `${whole(row.rows)} rows × ${row.columns}, ${whole(row.seen)} times seen<extra></extra>`) };
  });
  return {
    traces,
    layout: baseLayout({ height: 80 + fields.length * Math.max(24, 11 * runs.length + 8), barmode: "group", bargap: 0.3,
      xaxis: axis({ title: `${choice.measure.title} over the largest possible`, range: [0, 102], ticksuffix: " %" }),
      yaxis: axis({ showgrid: false, ticks: "", categoryorder: "array", categoryarray: fields.map(safe), dtick: 1 }) }),
    caption: `${capital(choice.measure.title)} of each field’s embedding table (vocabulary × ${fx("e")}) over the largest possible, `
      + `${fx("min(rows, e)")}. The lowest are at the top. One row of each table is for values out of vocabulary. The table below gives the numbers, with each field’s frequency in the train split; click a heading to sort.`
      + (runs.some(isGroup) ? " Bars with whiskers are means over seeds with their 95 % confidence intervals (Student’s t)." : ""),
  };
}

function valuesFigure(runs, choice) {
  const traces = [];
  const counts = new Set();
  let smallest = 1;
  for (const run of runs) {
    const point = pointOf(run, choice.valuesStage);
    if (!point || !point.singular_values) continue;
    counts.add(point.num_examples - point.num_not_finite - point.num_zero);
    const { mean, standard_deviation: deviation } = point.singular_values;
    const x = mean.map((_, place) => place + 1);
    const colour = colourOf(run.index);
    const low = mean.map((value, i) => Math.max(value - deviation[i], value / 10));
    smallest = Math.min(smallest, ...mean.filter((value) => value > 0));
    traces.push({ type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], hoverinfo: "skip", fill: "toself",
      y: [...mean.map((value, i) => value + deviation[i]), ...low.reverse()], fillcolor: faded(colour, 0.15), line: { width: 0 } });
    traces.push({ type: "scatter", mode: "lines+markers", name: safe(run.name), x, y: mean,
      line: { color: colour, width: 2.2, dash: dashOf(run.index) }, marker: { size: 6 },
      hovertemplate: `<b>${safe(run.name)}</b><br>s<sub>%{x}</sub> / s<sub>1</sub> = %{y:.4g}<extra></extra>` });
  }
  if (!traces.length) return { empty: "No run shown has singular values at this stage." };
  return {
    traces,
    layout: baseLayout({ height: isNarrow() ? 300 : 380, xaxis: axis({ title: "singular value, by size", showgrid: false, rangemode: "tozero" }),
      yaxis: axis({ title: "s<sub>i</sub> / s<sub>1</sub>", type: "log", tickformat: "~g", dtick: smallest > 1e-3 ? "D2" : 1,
        range: [Math.log10(Math.max(smallest, 1e-8)) - 0.3, 0.1] }) }),
    caption: `Singular values of each example’s token matrix (${fx("T × D")}: ${sizesInWords(runs)}) after ${stageLabel(choice.valuesStage)}, `
      + `relative to the largest, ${fx("s_i / s_1")}; mean over ${[...counts].map(whole).join(" and ")} examples; shaded: ± one standard deviation. `
      + "Every measure is a function of such a curve, so the choice of the measure does not change it.",
  };
}

function mixingFigure(run, choice, most) {
  const map = run.mixings.find((found) => found.point === choice.mixingPoint);
  if (!map) return { empty: `The mixing of ${run.name} is not a linear map, so there is no matrix to draw.` };
  const rows = choice.residual ? map.norms : map.norms_of_weight;
  const places = rows.map((_, place) => place + 1);
  return {
    traces: [{ type: "heatmap", z: rows, x: places, y: places, zmin: 0, zmax: most, colorscale: "Cividis", xgap: 1, ygap: 1,
      colorbar: { thickness: 10, outlinewidth: 0, len: 0.9, ticks: "" },
      hovertemplate: "from token %{x} to token %{y}<br>norm %{z:.3f}<extra></extra>" }],
    layout: baseLayout({ height: isNarrow() ? 330 : 400, margin: { l: 48, r: 8, t: 8, b: 48 },
      xaxis: axis({ title: "from token", showgrid: false, constrain: "domain", ticks: "", dtick: Math.ceil(rows.length / 8), tick0: 1 }),
      yaxis: axis({ title: "to token", showgrid: false, autorange: "reversed", scaleanchor: "x", constrain: "domain", ticks: "", dtick: Math.ceil(rows.length / 8), tick0: 1 }) }),
    measured: `${capital(choice.measure.title)} of ${fx("W + I")}: ${number(map.spectrum.measures[choice.measure.name])} of ${map.spectrum.num_rows} possible`,
  };
}

function mixingsCaption(runs, choice) {
  return `Frobenius norm of each ${fx("D × D")} block of ${fx(choice.residual ? "W + I" : "W")} of ${choice.mixingPoint} (${fx("TD × TD")}): how strongly an output token (row) `
    + "depends on an input token (column). The norm before or after " + fx("W") + " is left out because it depends on the example. Computed from the trained weights alone"
    + (runs.some(isGroup) ? "; a mean over the seeds of a group." : ".");
}

// One point a trained model: a group has one for each seed.
function modelsWithAuc(runs, choice) {
  return runs.flatMap((run) => {
    const value = run.stages.length ? stageValue(run, run.stages.at(-1), choice) : null;
    if (!value) return [];
    if (!isGroup(run)) return run.test_auc === null ? [] : [{ run, name: run.name, rank: value.mean, auc: run.test_auc }];
    return run.seeds.map((seed, place) => ({ run, name: seed.name, rank: value.seeds[place], auc: seed.test_auc }))
      .filter((model) => model.auc !== null && model.rank !== undefined);
  });
}

function aucFigure(runs, choice) {
  const models = modelsWithAuc(runs, choice);
  if (!models.length) return { empty: "No run shown has both a rank and a test AUC." };
  return {
    traces: models.map(({ run, name, rank, auc }) => ({ type: "scatter", mode: "markers", x: [rank], y: [auc], name: safe(name),
      marker: { size: 11, color: colourOf(run.index), symbol: AUC_MARKERS[run.index % AUC_MARKERS.length] },
      hovertemplate: `<b>${safe(name)}</b><br>${number(rank, 3)}, AUC %{y:.5f}<extra></extra>` })),
    layout: baseLayout({ height: isNarrow() ? 300 : 380, xaxis: axis({ title: `${choice.measure.title} after the last stage` }), yaxis: axis({ title: "test AUC", tickformat: ".4f" }) }),
    caption: `${capital(choice.measure.title)} of ${matrixInWords(runs, choice)} after the last stage, ${overWhat(runs)}, against the AUC of each run’s `
      + "test split; each point is one trained model. A few runs can only show whether the two correlate here.",
  };
}
