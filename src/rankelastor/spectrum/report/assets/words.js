"use strict";
// Numbers, names, captions and formulas as the reader sees them.

const THIN = "\u00a0"; // keeps a number and its sign on one line
const number = (value, digits = 2) => (value === null || value === undefined ? "" : value.toFixed(digits));
const whole = (value) => value.toLocaleString("en");
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}${THIN}%`;

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// Formulas: fx("T × D") marks a part of a text, and setText draws that part with MathML, which needs no network.

const [OPEN, CLOSE] = ["\ue000", "\ue001"];
const MATHML = "http://www.w3.org/1998/Math/MathML";
const FUNCTIONS = new Set(["min", "log", "exp"]);

function fx(formula) {
  return `${OPEN}${formula}${CLOSE}`;
}

function mathNode(name, ...children) {
  const node = document.createElementNS(MATHML, name);
  node.append(...children);
  return node;
}

function mathWord(word) {
  if (FUNCTIONS.has(word)) return mathNode("mi", word);
  if (word.length > 2) return mathNode("mtext", word);
  return mathNode("mrow", ...[...word].map((letter) => mathNode("mi", letter)));
}

function mathOf(formula) {
  const parts = formula.match(/[A-Za-z]+(_[A-Za-z0-9])?|[\d,.]*\d|[^\sA-Za-z\d]/g) || [];
  return mathNode("math", ...parts.map((part) => {
    const [base, below] = part.split("_");
    if (below) return mathNode("msub", mathWord(base), /\d/.test(below) ? mathNode("mn", below) : mathNode("mi", below));
    if (/^[A-Za-z]/.test(part)) return mathWord(part);
    return mathNode(/^\d/.test(part) ? "mn" : "mo", part);
  }));
}

// A word joiner keeps a formula on the line of the bracket or comma beside it.
const JOIN = "\u2060";

function setText(element, text) {
  const parts = text.split(OPEN).flatMap((part, place, all) => {
    const [formula, rest] = place === 0 ? ["", part] : part.split(CLOSE);
    const joined = rest.replace(/^(?=\S)/, place === 0 ? "" : JOIN).replace(/(?<=\S)$/, place === all.length - 1 ? "" : JOIN);
    return formula ? [mathOf(formula), joined] : [joined];
  });
  element.replaceChildren(...parts);
  return element;
}

// Sentences come as plain text, as the command line prints them.
function sentenceWithFormulas(sentence) {
  return sentence.replaceAll(" %", `${THIN}%`).replaceAll("T x D", fx("T × D")).replaceAll("examples x TD", fx("N × TD"))
    .replaceAll("log|swing|", fx("log|swing|"));
}

// Stages

function stageKind(point) {
  const found = data.runs.flatMap((run) => Object.values(run.trajectories)).flatMap((path) => path.stages)
    .find((stage) => stage.point === point);
  return found && found.kind !== "point" ? found.kind : "other";
}

function stageLabel(point, short = false) {
  const [, layer, part] = point.match(/^block(\d+)\.(mixing|pffn)$/) || [];
  if (part === "mixing") return short ? `M${Number(layer) + 1}` : `mixing ${Number(layer) + 1}`;
  if (part === "pffn") return short ? `F${Number(layer) + 1}` : `FFN ${Number(layer) + 1}`;
  return point === "tokens" && short ? "T" : point;
}

// What a figure shows

function isGroup(run) {
  return run.seeds.length > 1;
}

function sizesInWords(runs) {
  const sizes = [...new Set(runs.flatMap((run) => run.stages.map((name) => pointOf(run, name)))
    .filter((point) => point && point.num_tokens).map((point) => `${point.num_tokens} × ${point.token_dim}`))];
  return sizes.length > 3 ? `${fx(sizes[0])} to ${fx(sizes.at(-1))}` : sizes.map(fx).join(", ");
}

function matrixInWords(runs, choice) {
  if (choice.matrix === "example") return `each example’s token matrix (${fx("T × D")}: ${sizesInWords(runs)})`;
  const centred = choice.matrix === "flattened_centred" ? ", minus their mean" : "";
  return `one matrix of all examples’ outputs flattened (${fx("N × TD")})${centred}`;
}

function overWhat(runs) {
  const counts = runs.map((run) => `${whole(run.num_examples)} examples`
    + `${run.split ? ` of the ${run.split} split` : ""}${isGroup(run) ? ` for each of ${run.seeds.length} seeds` : ""}`);
  return `over ${[...new Set(counts)].join(" and ")}`;
}

function intervalInWords(runs) {
  const groups = runs.filter(isGroup).length;
  const seeds = "the 95 % confidence interval of the mean over seeds (Student’s t)";
  const examples = "the 95 % confidence interval of the mean over the examples of one trained model, of one seed; "
    + "models of other seeds may lie outside";
  if (groups === runs.length) return seeds;
  return groups ? `${seeds}, or, for a run of one seed, ${examples}` : examples;
}
