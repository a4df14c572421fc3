"use strict";
// The rank during training; same form as the figures in figures.js.

function samplesOf(run, choice) {
  return run.samples.map((sample) => ({ ...sample, stage: sample.stages[choice.trainingStage] }))
    .filter(({ stage }) => stage && choice.measure.name in stage.means);
}

// Why a run has no curve, or only a point of one.
function whyFewSamples(run, samples) {
  if (samples.length > 1) return "";
  const steps = run.num_steps ? ` of its ${whole(run.num_steps)} steps` : "";
  if (samples.length === 1) {
    const every = typeof run.every_steps === "number" ? `spectrum.every_steps is ${whole(run.every_steps)}, so that only ` : "Only ";
    return `${run.name} has one sample: ${every}step ${whole(samples[0].step)}${steps} was sampled. `
      + "Train with spectrum.every_steps: auto, or a smaller number, to see a curve.";
  }
  if (!run.folder && !isGroup(run)) return "";
  if (run.every_steps === null) return `${run.name} was not sampled: spectrum.every_steps is null.`;
  return `${run.name} was not sampled: rankelastor train samples, and from Python `
    + "train(recipe, observers=[SpectrumObserver(recipe.spectrum, folder)]).";
}

function trainingFigure(runs, choice) {
  const traces = [];
  const counts = new Set();
  let possible = 0;
  const reasons = [];
  for (const run of runs) {
    const samples = samplesOf(run, choice);
    reasons.push(whyFewSamples(run, samples));
    if (!samples.length) continue;
    samples.forEach((sample) => counts.add(sample.num_examples));
    possible = Math.max(possible, samples[0].stage.max_possible_rank);
    traces.push(...trainingTraces(run, samples, choice.measure.name));
  }
  const why = reasons.filter(Boolean).join(" ");
  if (!traces.length) return { empty: why || "None of the models shown was sampled during training." };
  return {
    traces,
    layout: baseLayout({ height: isNarrow() ? 300 : 380, xaxis: axis({ title: "training step", showgrid: false }),
      yaxis: axis({ title: choice.measure.title }) }),
    caption: `${capital(choice.measure.title)} of each example’s token matrix after ${stageLabel(choice.trainingStage)}, `
      + `mean over ${[...counts].map(whole).join(" or ")} examples of the training batch of the sampled step, dropout on. `
      + `Shaded: ${intervalInWords(runs)}. Largest possible: ${possible}.${why ? ` ${why}` : ""}`,
  };
}

function trainingTraces(run, samples, measure) {
  const colour = colourOf(run.index);
  const x = samples.map((sample) => sample.step);
  const mean = samples.map(({ stage }) => stage.means[measure]);
  const half = samples.map(({ stage }) => stage.half_widths[measure] ?? 1.96 * (stage.standard_errors[measure] || 0));
  const band = { type: "scatter", mode: "lines", x: [...x, ...[...x].reverse()], hoverinfo: "skip", fill: "toself",
    y: [...mean.map((value, i) => value + half[i]), ...mean.map((value, i) => value - half[i]).reverse()],
    fillcolor: faded(colour, 0.25), line: { width: 0 } };
  const bars = samples.length === 1 ? { error_y: { type: "data", array: half, color: colour, thickness: 1.5 } } : {};
  return [...(samples.length > 1 ? [band] : []),
    { type: "scatter", mode: samples.length < 40 ? "lines+markers" : "lines", name: safe(run.name), x, y: mean, ...bars,
      line: { color: colour, width: 2.2, dash: dashOf(run.index) }, marker: { size: samples.length === 1 ? 10 : 5, color: colour },
      hovertemplate: samples.map((sample, i) => `<b>${safe(run.name)}</b><br>step ${whole(sample.step)}, epoch ${sample.epoch}: ${number(mean[i], 3)}<extra></extra>`) }];
}
