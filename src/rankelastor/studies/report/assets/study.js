"use strict";
// The figures of a study: intervals of differences, scatters with fitted curves, and ranks by stage.

const study = JSON.parse(document.getElementById("data").textContent);

const STEP = 0.16; // between the intervals of one row

function rowsOf(figure) {
  return [...new Set(figure.series.flatMap((series) => series.y))];
}

function intervalTraces(figure) {
  const rows = rowsOf(figure);
  const shift = (index) => (index - (figure.series.length - 1) / 2) * STEP;
  return figure.series.map((series, index) => ({
    type: "scatter", mode: "markers", name: safe(series.name), x: series.x, text: series.y.map(safe),
    y: series.y.map((row) => rows.indexOf(row) + shift(index)),
    marker: { color: colourOf(index), symbol: AUC_MARKERS[index % AUC_MARKERS.length], size: 9 },
    error_x: {
      type: "data", symmetric: false, thickness: 1.5, color: colourOf(index),
      array: series.high.map((high, place) => high - series.x[place]),
      arrayminus: series.low.map((low, place) => series.x[place] - low),
    },
    hovertemplate: "%{text}: %{x:+.6f}<extra>%{fullData.name}</extra>",
  }));
}

function scatterTraces(figure) {
  return figure.series.flatMap((series, index) => {
    const colour = colourOf(index);
    const points = {
      type: "scatter", mode: "markers", name: safe(series.name), x: series.x, y: series.y,
      text: (series.text || series.x.map(() => series.name)).map(safe),
      marker: { color: colour, symbol: AUC_MARKERS[index % AUC_MARKERS.length], size: 8 },
      hovertemplate: "%{text}<br>%{x:,}: %{y:.6f}<extra></extra>",
    };
    if (!series.line_x) return [points];
    const line = { type: "scatter", mode: "lines", x: series.line_x, y: series.line_y, showlegend: false,
      hoverinfo: "skip", line: { color: colour, dash: dashOf(index), width: 2 } };
    return [points, line];
  });
}

function pathTraces(figure) {
  return figure.series.map((series, index) => ({
    type: "scatter", mode: "lines+markers", name: safe(series.name), x: series.x.map(safe), y: series.y,
    line: { color: colourOf(index), dash: dashOf(index), width: 2 },
    marker: { symbol: AUC_MARKERS[index % AUC_MARKERS.length], size: 6 },
    hovertemplate: "%{x}: %{y:.3f}<extra>%{fullData.name}</extra>",
  }));
}

const TRACES = { intervals: intervalTraces, scatter: scatterTraces, paths: pathTraces };

function drawFigure(figure, place) {
  const isIntervals = figure.kind === "intervals";
  const rows = isIntervals ? rowsOf(figure) : [];
  const ticks = isIntervals ? { tickvals: rows.map((_, place) => place), ticktext: rows.map(safe) } : {};
  const layout = baseLayout({
    height: isIntervals ? Math.max(260, 130 + 34 * rows.length) : 420, showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, margin: { l: 64, r: 16, t: 48, b: 56 },
    xaxis: axis({ title: figure.x, type: figure.kind === "paths" ? "category" : figure.log ? "log" : "linear", zeroline: isIntervals, zerolinecolor: token("soft") }),
    yaxis: axis({ title: figure.y, autorange: isIntervals ? "reversed" : true, rangemode: "normal", ...ticks }),
  });
  Plotly.react(`figure-${place}`, TRACES[figure.kind](figure), layout, CONFIG);
}

function draw() {
  study.figures.forEach(drawFigure);
  document.getElementById("theme").textContent = themeName() === "dark" ? "Light page" : "Dark page";
}

restoreTheme();
document.getElementById("theme").addEventListener("click", () => {
  setTheme(themeName() === "dark" ? "light" : "dark");
  draw();
});
systemIsDark.addEventListener("change", draw);
draw();
