"use strict";
// Colours, line styles and the layout that all figures share.

// Okabe and Ito (2008): distinguishable with any common colour blindness. Runs also differ in their dashes.
const COLOURS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"],
  dark: ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00", "#ffffff"],
};
const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
const SVG_DASHES = ["", "6 3", "2 2", "6 2 2 2", "9 3", "9 2 2 2"];
const MARKERS = { tokens: "circle", mixing: "triangle-up", ffn: "square", other: "diamond" };
const AUC_MARKERS = ["circle", "square", "diamond", "cross", "x", "triangle-up"];
const THEME_KEY = "rankelastor-theme";

const systemIsDark = window.matchMedia("(prefers-color-scheme: dark)");

function themeName() {
  return document.documentElement.dataset.theme || (systemIsDark.matches ? "dark" : "light");
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(THEME_KEY, name);
  } catch {
    // A page opened from a file may have no local storage: the choice is then lost when the page is closed.
  }
}

function restoreTheme() {
  try {
    const kept = localStorage.getItem(THEME_KEY);
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch {
    // There is no local storage, hence no stored choice.
  }
}

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function colourOf(index) {
  const colours = COLOURS[themeName()];
  return colours[index % colours.length];
}

function dashOf(index) {
  return DASHES[index % DASHES.length];
}

function faded(colour, alpha) {
  const parts = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return `rgba(${parts.join(",")},${alpha})`;
}

function isNarrow() {
  return window.innerWidth < 640;
}

// Plotly interprets some tags in its texts, and names of runs, fields and points are untrusted input.
function safe(text) {
  return String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function axis(extra) {
  return {
    gridcolor: token("grid"), linecolor: token("line"), tickcolor: token("line"), zeroline: false, ticks: "outside",
    ticklen: 4, automargin: true, ...extra, title: { text: extra.title || "", standoff: 10, font: { size: 13 } },
  };
}

function baseLayout(extra) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: token("sans"), size: isNarrow() ? 12 : 13.5, color: token("ink") },
    margin: { l: 56, r: 16, t: 16, b: 48 }, hoverlabel: { bgcolor: token("panel"), bordercolor: token("line"),
      font: { color: token("ink"), family: token("sans") }, align: "left" },
    ...extra,
  };
}

const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false, scrollZoom: false };
