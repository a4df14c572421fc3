"use strict";
// The tables of numbers. On a narrow screen no table scrolls before it has said which run a row is of.

function runMark(run) {
  const mark = make("span", { class: "dot", style: `--run: ${colourOf(run.index)}` });
  return make("span", { class: "run-mark" }, mark, run.name);
}

function stageCells(run, name, chosen) {
  const value = stageValue(run, name, chosen);
  const interval = value && value.interval ? `${number(value.interval[0], 3)} to ${number(value.interval[1], 3)}` : "";
  return [make("td", {}, value ? number(value.mean, 3) : ""), make("td", {}, interval)];
}

const INTERVAL = `95${THIN}% interval`;

function drawTrajectoryTable(runs, chosen) {
  const names = allPoints(runs, "stages");
  const table = byId("trajectory-table");
  if (isNarrow() || runs.length > 3) {
    const head = make("tr", {}, ...["stage", "mean", INTERVAL].map((title) => make("th", { scope: "col" }, title)));
    const parts = runs.map((run) => make("tbody", {},
      make("tr", { class: "of-run" }, make("th", { scope: "rowgroup", colspan: 3 }, runMark(run))),
      ...names.filter((name) => run.stages.includes(name))
        .map((name) => make("tr", {}, make("td", {}, stageLabel(name)), ...stageCells(run, name, chosen)))));
    table.replaceChildren(make("thead", {}, head), ...parts);
    return;
  }
  const head = make("tr", {}, make("th", { scope: "col" }, "stage"),
    ...runs.flatMap((run) => [make("th", { scope: "col" }, runMark(run)), make("th", { scope: "col" }, INTERVAL)]));
  const rows = names.map((name) => make("tr", {}, make("td", {}, stageLabel(name)),
    ...runs.flatMap((run) => stageCells(run, name, chosen))));
  table.replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
}

const COLUMNS = [
  { key: "field", title: "field", text: true, show: (row) => row.field },
  { key: "share", title: "of possible", show: (row) => (row.share === null ? "" : percent(row.share)) },
  { key: "rank", title: "measure", show: (row) => number(row.rank) },
  { key: "run", title: "run", text: true, show: (row) => runMark(row.of) },
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

function sortButton(column, chosen) {
  const button = make("button", { type: "button", "data-key": column.key },
    column.key === "rank" ? chosen.measure.title : column.title);
  button.addEventListener("click", () => {
    sorting.descending = sorting.key === column.key ? !sorting.descending : false;
    sorting.key = column.key;
    drawTablesTable(shownRuns(), choice());
    byId("tables-table").querySelector(`[data-key="${column.key}"]`).focus();
  });
  return button;
}

function drawTablesTable(runs, chosen) {
  const rows = tableRows(runs, chosen).sort(compareRows);
  byId("tables-scroll").hidden = rows.length === 0;
  const narrow = isNarrow();
  const columns = COLUMNS.filter((column) => !(narrow && column.key === "run"));
  const head = make("tr", {}, ...columns.map((column) => {
    const cell = make("th", { scope: "col", class: column.text ? "text" : "" }, sortButton(column, chosen));
    if (sorting.key === column.key) cell.setAttribute("aria-sort", sorting.descending ? "descending" : "ascending");
    return cell;
  }));
  const lines = rows.map((row) => make("tr", {}, ...columns.map((column) => {
    const cell = make("td", { class: column.text ? "text" : "" }, column.show(row));
    if (narrow && column.key === "field") cell.append(make("div", { class: "below" }, runMark(row.of)));
    return cell;
  })));
  byId("tables-table").replaceChildren(make("thead", {}, head), make("tbody", {}, ...lines));
}
