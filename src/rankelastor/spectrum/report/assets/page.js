"use strict";
// Fills the page from the data, and redraws all figures when the reader changes a choice.

const data = JSON.parse(document.getElementById("data").textContent);
data.runs.forEach((run, index) => { run.index = index; });

const MATRICES = {
  example: "each example’s tokens (T × D)",
  flattened: "all examples flattened (N × TD)",
  flattened_centred: "all flattened, minus the mean",
};
const hidden = new Set();
const byId = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}

function choice() {
  return {
    measure: data.measures.find((measure) => measure.name === byId("measure").value),
    matrix: byId("matrix").value,
    whole: byId("whole-range").checked,
    spread: byId("spread").checked,
    trainingStage: byId("training-stage").value,
    valuesStage: byId("values-stage").value,
    mixingPoint: byId("mixing-point").value,
    residual: byId("residual").checked,
  };
}

function shownRuns() {
  return data.runs.filter((run) => !hidden.has(run.index));
}

function draw(element, figure) {
  element.classList.toggle("empty", Boolean(figure.empty));
  const caption = byId(`${element.id}-caption`);
  if (caption) caption.textContent = figure.caption || "";
  if (figure.empty) {
    if (window.Plotly && element.data) Plotly.purge(element);
    element.textContent = figure.empty;
    return;
  }
  if (!element.data) element.textContent = "";
  Plotly.react(element, figure.traces, figure.layout, CONFIG);
}

function drawMixings(runs, chosen) {
  const drawn = runs.filter((run) => run.mixings.some((map) => map.point === chosen.mixingPoint));
  const key = choice().residual ? "norms" : "norms_of_weight";
  const most = Math.max(0, ...drawn.flatMap((run) => run.mixings.find((map) => map.point === chosen.mixingPoint)[key].flat()));
  const panels = runs.map((run) => {
    const figure = mixingFigure(run, chosen, most);
    const plot = make("div", { class: "plot", role: "img", id: `mixing-${run.index}`, "aria-label": `Mixing map of ${run.name}` });
    return { figure, plot, panel: make("div", {}, make("h3", {}, run.name), plot, make("p", { class: "note" }, figure.measured || "")) };
  });
  byId("mixings").querySelectorAll(".plot").forEach((plot) => { if (plot.data) Plotly.purge(plot); });
  byId("mixings").replaceChildren(...panels.map(({ panel }) => panel));
  panels.forEach(({ figure, plot }) => draw(plot, figure));
  byId("mixings-caption").textContent = drawn.length ? mixingsCaption(runs, chosen) : "";
}

function drawVerdicts(runs, chosen) {
  const { name, title } = chosen.measure;
  byId("verdicts").replaceChildren(...runs.map((run) => {
    const verdict = run.verdicts[name];
    const path = run.trajectories[name];
    const about = [run.model, run.test_auc === null ? "" : `test AUC ${run.test_auc.toFixed(4)}`,
      run.dense_parameters === null ? "" : `${whole(run.dense_parameters)} dense parameters`].filter(Boolean).join(" · ");
    const card = make("article", { class: "card", style: `--run: ${colourOf(run.index)}` }, make("h3", {}, run.name), make("p", { class: "about" }, about));
    if (!verdict) {
      card.append(make("p", { class: "state collapsed" }, "No verdict: there is no trajectory."));
      return card;
    }
    card.append(
      make("p", { class: "figure" }, number(path.stages.at(-1).mean), " ", make("small", {}, `of ${path.max_possible_rank} possible`)),
      make("p", { class: verdict.collapsed ? "state collapsed" : "state" },
        `${verdict.collapsed ? "Collapsed" : "Not collapsed"}: ${percent(verdict.share)} of the possible ${title}`),
      make("ul", {}, ...verdict.sentences.map((sentence) => make("li", {}, sentence))));
    return card;
  }));
  byId("comparisons").replaceChildren(...data.comparisons[name].map((sentence) => make("p", {}, sentence)));
  byId("measure-note").textContent = `${capital(title)}: ${chosen.measure.formula}, of each example’s token matrix. ${chosen.measure.source}.`;
}

function drawTrajectoryTable(runs, chosen) {
  const names = allPoints(runs, "stages");
  const head = make("tr", {}, make("th", { scope: "col" }, "stage"),
    ...runs.flatMap((run) => [make("th", { scope: "col" }, run.name), make("th", { scope: "col" }, "95 % interval")]));
  const rows = names.map((name) => make("tr", {}, make("td", {}, stageLabel(name)), ...runs.flatMap((run) => {
    const value = stageValue(run, name, chosen);
    const interval = value && value.interval ? `${number(value.interval[0], 3)} to ${number(value.interval[1], 3)}` : "";
    return [make("td", {}, value ? number(value.mean, 3) : ""), make("td", {}, interval)];
  })));
  byId("trajectory-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

const COLUMNS = [
  { key: "field", title: "field", text: true, show: (row) => row.field },
  { key: "share", title: "of possible", show: (row) => (row.share === null ? "" : percent(row.share)) },
  { key: "rank", title: "measure", show: (row) => number(row.rank) },
  { key: "run", title: "run", text: true, show: (row) => row.run },
  { key: "columns", title: "dimension", show: (row) => whole(row.columns) },
  { key: "rows", title: "rows", show: (row) => whole(row.rows) },
  { key: "seen", title: "times seen", show: (row) => whole(row.seen) },
  { key: "each", title: "seen per value", show: (row) => (row.each === null ? "" : row.each.toLocaleString("en", { maximumFractionDigits: 1 })) },
];
const sorting = { key: "share", descending: false };

function compareRows(one, other) {
  const [a, b] = [one[sorting.key], other[sorting.key]];
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "string" ? a.localeCompare(b) : a - b;
  return sorting.descending ? -order : order;
}

function drawTablesTable(runs, chosen) {
  const head = make("tr", {}, ...COLUMNS.map((column) => {
    const button = make("button", { type: "button", "data-key": column.key },
      column.key === "rank" ? chosen.measure.title : column.title);
    button.addEventListener("click", () => {
      sorting.descending = sorting.key === column.key ? !sorting.descending : false;
      sorting.key = column.key;
      drawTablesTable(shownRuns(), choice());
      byId("tables-table").querySelector(`[data-key="${column.key}"]`).focus();
    });
    const cell = make("th", { scope: "col", class: column.text ? "text" : "" }, button);
    if (sorting.key === column.key) cell.setAttribute("aria-sort", sorting.descending ? "descending" : "ascending");
    return cell;
  }));
  const rows = tableRows(runs, chosen).sort(compareRows).map((row) => make("tr", {}, ...COLUMNS.map((column) => {
    const cell = make("td", { class: column.text ? "text" : "" }, column.show(row));
    if (column.key === "run") cell.prepend(make("span", { class: "dot", style: `--run: ${colourOf(row.index)}` }));
    return cell;
  })));
  byId("tables-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

function drawRunKeys() {
  data.runs.forEach((run) => {
    const line = byId(`run-line-${run.index}`);
    line.setAttribute("stroke", colourOf(run.index));
  });
  const dark = themeName() === "dark";
  byId("theme").textContent = dark ? "Light" : "Dark";
  byId("theme").setAttribute("aria-label", `Switch to the ${dark ? "light" : "dark"} theme`);
}

function drawAll() {
  const runs = shownRuns();
  const chosen = choice();
  drawRunKeys();
  drawVerdicts(runs, chosen);
  draw(byId("trajectory"), trajectoryFigure(runs, chosen));
  drawTrajectoryTable(runs, chosen);
  draw(byId("densities"), densitiesFigure(runs, chosen));
  draw(byId("training"), trainingFigure(runs, chosen));
  draw(byId("tables"), tablesFigure(runs, chosen));
  drawTablesTable(runs, chosen);
  draw(byId("values"), valuesFigure(runs, chosen));
  drawMixings(runs, chosen);
  if (!byId("auc-section").hidden) draw(byId("auc"), aucFigure(runs, chosen));
}

function runKey(run) {
  const box = make("input", { type: "checkbox", checked: "", id: `run-${run.index}` });
  box.addEventListener("change", () => {
    if (box.checked) hidden.delete(run.index); else hidden.add(run.index);
    drawAll();
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  Object.entries({ width: 30, height: 10, "aria-hidden": "true" }).forEach(([name, value]) => svg.setAttribute(name, value));
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  Object.entries({ id: `run-line-${run.index}`, x1: 0, x2: 30, y1: 5, y2: 5, "stroke-width": 3,
    "stroke-dasharray": SVG_DASHES[run.index % SVG_DASHES.length] }).forEach(([name, value]) => line.setAttribute(name, value));
  svg.append(line);
  return make("label", { class: "run" }, box, svg, run.name);
}

function fillSelect(id, options, chosen) {
  byId(id).replaceChildren(...options.map(([value, text]) => make("option", value === chosen ? { value, selected: "" } : { value }, text)));
}

function fillControls() {
  const stages = allPoints(data.runs, "points").map((name) => [name, stageLabel(name)]);
  const last = allPoints(data.runs, "stages").at(-1);
  fillSelect("measure", data.measures.map((measure) => [measure.name, measure.title]), data.first_measure);
  const hasFlattened = data.runs.some((run) => run.recording.points.some((point) => point.flattened));
  fillSelect("matrix", Object.entries(MATRICES).filter(([name]) => name === "example" || hasFlattened), "example");
  fillSelect("training-stage", allPoints(data.runs, "stages").map((name) => [name, stageLabel(name)]), last);
  fillSelect("values-stage", stages, last);
  const points = [...new Set(data.runs.flatMap((run) => run.mixings.map((map) => map.point)))];
  fillSelect("mixing-point", points.map((name) => [name, stageLabel(name)]), points[0]);
  byId("runs").append(...data.runs.map(runKey));
  byId("auc-section").hidden = data.runs.filter((run) => run.test_auc !== null).length < 3;
}

function fillTexts() {
  const names = data.runs.map((run) => run.name);
  const title = names.length > 3 ? [`${names.length} runs`] : names;
  title.forEach((name, place) => byId("title-runs").append(place ? " and " : "", make("span", { class: "name" }, name)));
  document.title = `Spectrum of ${names.join(", ")}`;
  byId("lead").textContent = `Token matrices of ${sizesInWords(data.runs) || "unknown size"}, ${overWhat(data.runs)}, with each run’s best weights.`;
  byId("made-by").textContent = `Made by ${data.made_by}. All numbers are in spectrum.json next to this file.`;
  const problems = data.runs.flatMap((run) => run.problems.map((problem) => make("li", {}, `${run.name}: ${problem}`)));
  if (problems.length) {
    byId("problems").hidden = false;
    byId("problems").append(make("h2", {}, "Problems with these runs"), make("ul", {}, ...problems));
  }
}

function listen() {
  ["measure", "matrix", "whole-range", "spread", "training-stage", "values-stage", "mixing-point", "residual"]
    .forEach((id) => byId(id).addEventListener("change", drawAll));
  byId("theme").addEventListener("click", () => { setTheme(themeName() === "dark" ? "light" : "dark"); drawAll(); });
  systemIsDark.addEventListener("change", drawAll);
  let narrow = isNarrow();
  window.addEventListener("resize", () => { if (narrow !== isNarrow()) { narrow = isNarrow(); drawAll(); } });
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme || "";
    document.documentElement.dataset.theme = "light";
    drawAll();
    document.querySelectorAll(".plot").forEach((plot) => { if (plot.data) Plotly.relayout(plot, { width: 640 }); });
  });
  window.addEventListener("afterprint", () => {
    if (before) document.documentElement.dataset.theme = before; else delete document.documentElement.dataset.theme;
    drawAll();
  });
}

restoreTheme();
fillControls();
fillTexts();
listen();
drawAll();
document.documentElement.dataset.ready = "true";
