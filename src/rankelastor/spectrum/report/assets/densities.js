"use strict";
// The distribution over examples at each stage; same form as the figures in figures.js.

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
  const joinOf = ([low, high]) => Math.max(1, Math.round((high - low) / 60));
  const traces = [];
  names.forEach((name, row) => {
    const base = names.length - 1 - row;
    const curves = runs.map((run) => ({ run, entry: found(run, name) })).filter(({ entry }) => entry && entry.count)
      .map(({ run, entry }) => ({ run, entry,
        bins: joinedBins(entry.histogram, ...(sameScale ? shared : filledRange([entry.histogram])),
          joinOf(sameScale ? shared : filledRange([entry.histogram])))
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
    caption: `Distribution ${overWhat(runs)} of the ${choice.measure.title} of ${matrixInWords(runs, { ...choice, matrix: "example" })}`
      + ", counted in bins, not smoothed. The vertical lines are the means. Each row "
      + "is scaled separately; the runs in a row share one scale.",
  };
}
