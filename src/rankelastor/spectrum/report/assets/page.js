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
  if (caption) setText(caption, figure.caption || "");
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
    return { figure, plot, panel: make("div", {}, make("h3", {}, run.name), plot, setText(make("p", { class: "note" }), figure.measured || "")) };
  });
  byId("mixings").querySelectorAll(".plot").forEach((plot) => { if (plot.data) Plotly.purge(plot); });
  byId("mixings").replaceChildren(...panels.map(({ panel }) => panel));
  panels.forEach(({ figure, plot }) => draw(plot, figure));
  setText(byId("mixings-caption"), drawn.length ? mixingsCaption(runs, chosen) : "");
}

function aboutRun(run) {
  const seeds = run.seeds.map((seed) => seed.seed).filter((seed) => seed !== null);
  const trained = isGroup(run) ? `${run.seeds.length} seeds${seeds.length ? ` (${seeds.join(", ")})` : ""}` : run.seed === null ? "" : `seed ${run.seed}`;
  return [run.model, trained, run.test_auc === null ? "" : `${isGroup(run) ? "mean " : ""}test AUC ${run.test_auc.toFixed(4)}`,
    run.dense_parameters === null ? "" : `${whole(run.dense_parameters)} dense parameters`].filter(Boolean).join(" · ");
}

function verdictCard(run, chosen) {
  const { name, title } = chosen.measure;
  const [verdict, path] = [run.verdicts[name], run.trajectories[name]];
  const card = make("article", { class: "card", style: `--run: ${colourOf(run.index)}` }, make("h3", {}, run.name), make("p", { class: "about" }, aboutRun(run)));
  if (!verdict) {
    card.append(make("p", { class: "state collapsed" }, "No verdict: there is no trajectory."));
    return card;
  }
  const end = path.stages.at(-1);
  const interval = isGroup(run) && end.confidence_interval
    ? `95${THIN}% interval over seeds: ${number(end.confidence_interval[0])} to ${number(end.confidence_interval[1])}` : "";
  card.append(
    make("p", { class: "figure" }, number(end.mean), " ", make("small", {}, `of ${whole(path.max_possible_rank)} possible`)),
    ...(interval ? [make("p", { class: "about" }, interval)] : []),
    make("p", { class: verdict.collapsed ? "state collapsed" : "state" },
      `${verdict.collapsed ? "Collapsed" : "Not collapsed"}: ${percent(verdict.share)} of the possible ${title}`),
    make("ul", {}, ...verdict.sentences.map((sentence) => setText(make("li"), sentenceWithFormulas(sentence)))));
  return card;
}

function drawVerdicts(runs, chosen) {
  const { name, title, source } = chosen.measure;
  byId("verdicts").replaceChildren(...runs.map((run) => verdictCard(run, chosen)));
  byId("comparisons").replaceChildren(...data.comparisons[name].map((sentence) => setText(make("p"), sentenceWithFormulas(sentence))));
  const formula = byId(`formula-${name}`).content.cloneNode(true);
  byId("measure-note").replaceChildren(`${capital(title)}: `, formula, `. ${source}.`);
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

const FIGURES = { densities: densitiesFigure, training: trainingFigure, tables: tablesFigure, values: valuesFigure, auc: aucFigure };

function drawAll() {
  const runs = shownRuns();
  const chosen = choice();
  drawRunKeys();
  drawVerdicts(runs, chosen);
  draw(byId("trajectory"), trajectoryFigure(runs, chosen));
  drawTrajectoryTable(runs, chosen);
  Object.entries(FIGURES).forEach(([id, figure]) => {
    if (!byId(id).closest("section").hidden) draw(byId(id), figure(runs, chosen));
  });
  drawTablesTable(runs, chosen);
  if (!byId("mixing-section").hidden) drawMixings(runs, chosen);
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
  const points = data.runs.flatMap((run) => run.recording.points);
  const has = { example: points.some((point) => Object.keys(point.examples).length), flattened: points.some((point) => point.flattened) };
  has.flattened_centred = has.flattened;
  has[data.first_matrix] = true;
  fillSelect("matrix", Object.entries(MATRICES).filter(([name]) => has[name]), data.first_matrix);
  fillSelect("training-stage", allPoints(data.runs, "stages").map((name) => [name, stageLabel(name)]), last);
  fillSelect("values-stage", stages, last);
  const mixings = [...new Set(data.runs.flatMap((run) => run.mixings.map((map) => map.point)))];
  fillSelect("mixing-point", mixings.map((name) => [name, stageLabel(name)]), mixings[0]);
  byId("runs").append(...data.runs.map(runKey));
  byId("auc-section").hidden = modelsWithAuc(data.runs, choice()).length < 3;
  hideEmptySections();
}

// A model of one's own has no embedding tables, mixings and training that this page could show.
function hideEmptySections() {
  const ofRuns = data.runs.some((run) => run.folder || isGroup(run));
  byId("tables-section").hidden = !data.runs.some((run) => run.tables.length);
  byId("mixing-section").hidden = !data.runs.some((run) => run.mixings.length);
  byId("training-section").hidden = !ofRuns && !data.runs.some((run) => run.samples.length);
  const hasExamples = data.runs.some((run) => run.recording.points.some((point) => Object.keys(point.examples).length));
  ["densities-section", "values-section"].forEach((id) => { byId(id).hidden = !hasExamples; });
}

function fillTexts() {
  const names = data.runs.map((run) => run.name);
  const title = names.length > 3 ? [`${names.length} runs`] : names;
  title.forEach((name, place) => byId("title-runs").append(place ? " and " : "", make("span", { class: "name" }, name)));
  document.title = `Spectrum of ${names.join(", ")}`;
  const weights = data.runs.some((run) => run.folder || isGroup(run)) ? ", with each run’s best weights" : "";
  const sizes = sizesInWords(data.runs);
  const matrices = data.first_matrix === "example" ? `Token matrices of ${sizes}` : "Matrices of all examples’ outputs";
  setText(byId("lead"), `${sizes ? matrices : "Embedding tables"}, ${overWhat(data.runs)}${weights}.`);
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
