// The planner: what `bayescale.plan` computes, in a page, from thinned draws of a posterior.
//
// Every law here is L = E + ((A N^-alpha)^q + (B D^-beta)^q)^(1/q); all arithmetic is in logs.
// `data` is what bayescale/reporting/planner_data.py writes; the tests run this file against Python.
"use strict";

const HALVINGS = 60, SCAN = 160, WIDTH = 0.01;

// Quantile with linear interpolation between two draws, as NumPy's.
function quantile(values, level) {
  const sorted = Float64Array.from(values).sort();
  const place = level * (sorted.length - 1), low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Where a budget can be spent: cost k N^m D, served tokens, unique tokens.
function lineOf(data, state) {
  return {
    logFactor: data.cost.log_factor,
    order: data.cost.order,
    served: (state.serving || 0) / 3,
    unique: state.unique || Infinity,
    repetition: data.repetition,
  };
}

// Log of the tokens that a budget leaves to a model, and their derivative by log N.
function dataLeft(line, x, budget) {
  const tokens = budget - line.logFactor - line.order * x;
  const share = Math.min(line.served * Math.exp(-tokens), 1);
  return { y: tokens + Math.log1p(-share), dy: -line.order / (1 - share) };
}

// The same with repeated tokens counted as fewer (Muennighoff et al. 2023, eq. 5).
function effective(line, left) {
  const log = Math.log(line.unique);
  if (!(left.y > log)) return left;
  const over = Math.expm1(left.y - log), rate = line.repetition;
  const y = log + Math.log1p(-rate * Math.expm1(-over / rate));
  return { y, dy: left.dy * Math.exp(left.y - over / rate - y) };
}

// Log loss of draw i at log sizes, and its slope along the line up to a positive factor.
function atPoint(law, i, x, left, drift) {
  const tilt = drift ? law.tilt[i] : 0, beyond = x + left.y - law.top;
  const moved = beyond > 0 ? tilt * beyond : 0, turn = beyond > 0 ? tilt * (1 + left.dy) : 0;
  const alpha = Math.exp(law.alpha[i]), beta = Math.exp(law.beta[i]), q = Math.exp(law.q[i]);
  const ofN = q * (law.A[i] - alpha * (x + moved)), ofD = q * (law.B[i] - beta * (left.y - moved));
  const most = Math.max(ofN, ofD);
  const wN = Math.exp(ofN - most), wD = Math.exp(ofD - most);
  const kernel = (most + Math.log(wN + wD)) / q;
  const top = Math.max(kernel, law.E[i]);
  const loss = top + Math.log(Math.exp(kernel - top) + Math.exp(law.E[i] - top));
  return { loss, slope: -(alpha * wN * (1 + turn) + beta * wD * (left.dy - turn)) };
}

// Where a function that rises from below zero to above it is zero, between two ends: from a guess
// outwards until the sign changes, then by false position with halving (Illinois).
function zero(rise, low, high, guess) {
  const at = (x) => { const value = rise(x); return value < 1 ? value : 1; };
  let a = Math.min(Math.max(guess, low), high), fa = at(a), b = a, fb = fa;
  for (let step = 0.25; fa < 0 === fb < 0; step *= 2) {
    if (fa < 0) { a = b; fa = fb; b = Math.min(b + step, high); fb = at(b); if (b >= high) break; }
    else { b = a; fb = fa; a = Math.max(a - step, low); fa = at(a); if (a <= low) break; }
  }
  if (fa >= 0) return a;
  if (fb < 0) return b;
  for (let k = 0, side = 0, x = a, last; k < 100; k++) {
    last = x;
    x = (a * fb - b * fa) / (fb - fa);
    const value = at(x);
    if (Math.abs(x - last) < 1e-12 * (1 + Math.abs(x)) || value === 0) return x;
    if (value < 0) { a = x; fa = value; if (side === -1) fb /= 2; side = -1; }
    else { b = x; fb = value; if (side === 1) fa /= 2; side = 1; }
  }
  return 0.5 * (a + b);
}

// Log N with the lowest loss of one draw: in closed form, or from there where the slope is zero.
function bestSize(law, i, line, budget, drift) {
  const high = (budget - Math.log1p(line.served) - line.logFactor) / line.order;
  // The optimum of the law that is not tilted, at a cost in N D alone; the product stays.
  const product = budget - line.logFactor, q = Math.exp(law.q[i]);
  const alpha = Math.exp(law.alpha[i]), beta = Math.exp(law.beta[i]);
  const gap = (law.beta[i] - law.alpha[i]) / q;
  const x = (law.A[i] - law.B[i] + beta * product - gap) / (alpha + beta);
  const closed = x - (drift ? law.tilt[i] * Math.max(product - law.top, 0) : 0);
  if (line.order === 1 && line.served === 0 && line.unique === Infinity) return closed;
  const rise = (size) => {
    const left = effective(line, dataLeft(line, size, budget));
    return atPoint(law, i, size, left, drift).slope;
  };
  return zero(rise, 0, high, closed);
}

// Each draw of the mixture in turn.
function eachDraw(data, use) {
  for (const law of data.laws) for (let i = 0; i < law.E.length; i++) use(law, i);
}

// E-folds beyond the runs: the largest over each size and the product, above and below.
function beyondRuns(data, x, y) {
  if (!data.seen) return 0;
  const sides = [[x, data.seen.N], [y, data.seen.D], [x + y, data.seen.product]];
  return Math.max(0, ...sides.flatMap(([at, [low, high]]) => [at - high, low - at]));
}

// Multiple of the largest run at which a point lies; null where the runs are not known.
function distance(data, x, y) {
  if (!data.seen) return null;
  const seen = data.seen;
  return Math.exp(Math.max(x - seen.N[1], y - seen.D[1], x + y - seen.product[1]));
}

// Log loss of every draw at one choice of log N; with what the law may be wrong by, or without.
function losses(data, line, x, budget, tilted, slopes) {
  const left = dataLeft(line, x, budget), seen = effective(line, left), out = [];
  const far = slopes ? beyondRuns(data, x, left.y) : 0;
  eachDraw(data, (law, i) => {
    const slope = slopes ? law.slope[i] * far : 0;
    out.push(atPoint(law, i, x, seen, tilted).loss + slope);
  });
  return out;
}

function optima(data, line, budget, drift) {
  const out = [];
  eachDraw(data, (law, i) => out.push(bestSize(law, i, line, budget, drift)));
  return out;
}

// Expected loss of one choice of log N at a budget, by the law alone.
const risk = (data, line, x, budget, drift) =>
  mean(losses(data, line, x, budget, drift, false).map(Math.exp));

// The range of log N that costs less than 1% extra compute.
function valley(data, line, budget, centre, drift) {
  const poorer = budget - Math.log1p(WIDTH);
  const allowed = risk(data, line, quantile(optima(data, line, poorer, drift), 0.5), poorer, drift);
  const high = (budget - Math.log1p(line.served) - line.logFactor) / line.order;
  return [0, high].map((end) => {
    let inside = centre, outside = end;
    for (let k = 0; k < 40; k++) {
      const middle = 0.5 * (inside + outside);
      if (risk(data, line, middle, budget, drift) <= allowed) inside = middle;
      else outside = middle;
    }
    return inside;
  });
}

// What to train with a budget: the plan for the objective "median".
function planFor(data, state) {
  const line = lineOf(data, state), budget = Math.log(state.compute), drift = state.drift;
  const sizes = optima(data, line, budget, drift);
  const x = quantile(sizes, 0.5), left = dataLeft(line, x, budget);
  const logs = losses(data, line, x, budget, drift, drift), reached = logs.map(Math.exp);
  const bare = losses(data, line, x, budget, drift, false).map(Math.exp);
  let k = 0;
  const regrets = [];
  eachDraw(data, (law, i) => {
    const best = effective(line, dataLeft(line, sizes[k], budget));
    regrets.push(bare[k] - Math.exp(atPoint(law, i, sizes[k], best, drift).loss));
    k += 1;
  });
  const training = Math.exp(line.logFactor + line.order * x + left.y);
  const hours = training / (3600 * data.hardware.rate);
  const ends = valley(data, line, budget, x, drift);
  return {
    N: Math.exp(x), D: Math.exp(left.y), ratio: Math.exp(left.y - x),
    N_range: [0.1, 0.9].map((level) => quantile(sizes.map(Math.exp), level)),
    valley: ends.map(Math.exp),
    loss: Math.exp(quantile(logs, 0.5)),
    loss_range: [quantile(reached, 0.1), quantile(reached, 0.9)],
    regret: mean(regrets),
    chance: reached.filter((loss) => loss <= state.target).length / reached.length,
    training, gpu_hours: hours, money: hours * state.price,
    epochs: line.unique < Infinity ? Math.exp(left.y) / line.unique : null,
    far: distance(data, x, left.y),
  };
}

// Loss at the median of the optimal N that a budget does not exceed with a probability.
function lossAt(data, line, budget, drift) {
  const x = quantile(optima(data, line, budget, drift), 0.5);
  const y = dataLeft(line, x, budget).y;
  return { x, far: distance(data, x, y), logs: losses(data, line, x, budget, drift, drift) };
}

// The least budget whose choice reaches the target with the confidence, within the range believed.
function budgetFor(data, state) {
  const line = lineOf(data, state), aim = Math.log(state.target), drift = state.drift;
  const least = line.logFactor + Math.log1p(line.served) + 1e-6;
  const step = (data.largest - least) / (SCAN - 1);
  const short = (budget) => quantile(lossAt(data, line, budget, drift).logs, state.confidence) - aim;
  let before = null, surest = { chance: 0, compute: Infinity };
  for (let k = 0; k < SCAN; k++) {
    const budget = least + k * step, here = lossAt(data, line, budget, drift);
    if (here.far !== null && here.far > data.refuse) continue;
    const chance = here.logs.filter((loss) => loss <= aim).length / here.logs.length;
    if (chance > surest.chance) surest = { chance, compute: Math.exp(budget) };
    if (quantile(here.logs, state.confidence) <= aim) {
      let low = before === null ? budget : before, high = budget;
      for (let j = 0; j < HALVINGS && high - low > 1e-9; j++) {
        const middle = 0.5 * (low + high);
        if (short(middle) <= 0) high = middle; else low = middle;
      }
      return { reached: true, compute: Math.exp(high), chance: state.confidence };
    }
    before = budget;
  }
  return { reached: false, ...surest };
}

// ---- the page

const SUFFIXES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

function count(value) {
  if (!Number.isFinite(value)) return "none";
  if (value >= 1e15) {
    const [mantissa, exponent] = value.toExponential(2).split("e+");
    return Number(mantissa) + "e" + exponent;
  }
  for (const [size, letter] of SUFFIXES)
    if (Number(value.toPrecision(3)) >= size) return Number((value / size).toPrecision(3)) + letter;
  return String(Number(value.toPrecision(3)));
}

// From the address: only known names, only numbers, held to the ends of their sliders.
function stateFrom(text, fields, given) {
  const state = { ...given }, told = new URLSearchParams(text.replace(/^#/, ""));
  for (const [name, field] of Object.entries(fields)) {
    if (!told.has(name)) continue;
    if (field.flag) state[name] = told.get(name) !== "0";
    else if (told.get(name) === "none" && field.none) state[name] = null;
    else {
      const value = told.get(name).trim() === "" ? NaN : Number(told.get(name));
      if (Number.isFinite(value)) state[name] = Math.min(Math.max(value, field.low), field.high);
    }
  }
  return state;
}

function addressOf(state, fields) {
  const told = new URLSearchParams();
  for (const [name, field] of Object.entries(fields)) {
    if (field.flag) told.set(name, state[name] ? "1" : "0");
    else if (state[name] === null) told.set(name, "none");
    else told.set(name, String(Number(state[name].toPrecision(6))).replace("e+", "e"));
  }
  return "#" + told.toString();
}

// Sliders have a thousand steps, even in the log where `field.log`; the first is none if allowed.
const STEPS = 1000;

function valueAt(field, step) {
  if (field.none && step === 0) return null;
  const share = step / STEPS;
  if (field.log) return Math.exp(Math.log(field.low) + share * Math.log(field.high / field.low));
  return field.low + share * (field.high - field.low);
}

function stepAt(field, value) {
  if (value === null) return 0;
  const share = field.log ? Math.log(value / field.low) / Math.log(field.high / field.low)
    : (value - field.low) / (field.high - field.low);
  return Math.max(Math.round(STEPS * share), field.none ? 1 : 0);
}

function start(document, window) {
  const data = JSON.parse(document.getElementById("planner-data").textContent);
  const fields = data.fields, get = (name) => document.getElementById("planner-" + name);
  let state = stateFrom(window.location.hash, fields, data.given);

  function put(name, text) {
    get(name).textContent = text;
  }

  function show() {
    for (const [name, field] of Object.entries(fields)) {
      if (field.flag) continue;
      const write = field.log ? count : (value) => String(Number(value.toPrecision(4)));
      const text = state[name] === null ? "none" : write(state[name]) + field.unit;
      put(name + "-value", text);
      get(name).setAttribute("aria-valuetext", text);
    }
    const plan = planFor(data, state);
    put("N", count(plan.N) + " (80% of draws: " + plan.N_range.map(count).join(" to ") + ")");
    put("D", count(plan.D) + (plan.epochs === null ? "" : ", " + plan.epochs.toFixed(2) + " epochs"));
    put("ratio", plan.ratio.toPrecision(3));
    put("valley", plan.valley.map(count).join(" to "));
    const range = plan.loss_range.map((loss) => loss.toFixed(4)).join(" to ");
    put("loss", plan.loss.toFixed(4) + " (80% interval: " + range + ")");
    put("regret", plan.regret.toPrecision(2));
    put("bill", count(plan.gpu_hours) + " GPU hours, " + count(plan.money) + " in money");
    put("chance", (100 * plan.chance).toFixed(0) + "%");
    const found = budgetFor(data, state), percent = (100 * found.chance).toFixed(0) + "%";
    if (found.reached) put("budget", count(found.compute) + " FLOP");
    else if (found.chance > 0)
      put("budget", "out of reach: the surest budget, " + count(found.compute) + " FLOP, has " + percent);
    else put("budget", "out of reach within the range believed");
    put("far", plan.far === null ? "the runs are not known" : plan.far.toPrecision(3) + " times the largest run"
      + (plan.far > data.refuse ? ": no interval was ever checked so far out; do not act on this" : ""));
  }

  function place() {
    for (const [name, field] of Object.entries(fields)) {
      if (field.flag) get(name).checked = state[name];
      else get(name).value = String(stepAt(field, state[name]));
    }
  }

  for (const [name, field] of Object.entries(fields)) {
    get(name).addEventListener("input", () => {
      state[name] = field.flag ? get(name).checked : valueAt(field, Number(get(name).value));
      window.history.replaceState(null, "", addressOf(state, fields));
      show();
    });
  }
  window.addEventListener("hashchange", () => {
    if (!window.location.hash.includes("=")) return;
    state = stateFrom(window.location.hash, fields, data.given);
    place();
    show();
  });
  place();
  show();
}

if (typeof module !== "undefined") module.exports = { planFor, budgetFor, stateFrom, addressOf, valueAt, stepAt, count, quantile, start };
else if (document.getElementById("planner-data")) start(document, window);
