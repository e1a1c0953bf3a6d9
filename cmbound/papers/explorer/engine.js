// The float64 tier of cmbound over again: from what is given to the terms of a statement. It computes with the functions F that
// were generated from the statement's own expressions; what is written here is sums, checks and the choice of profiles.

class Refusal extends Error {} // a setting that has no number, and why: shown in words

function refuse(text) {
  throw new Refusal(text);
}

const shown = (x) => String(+x.toPrecision(12));

// --- numbers ----------------------------------------------------------------------------------------------------------

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(\/\d+(\.\d+)?(e[+-]?\d+)?)?$/i;

function readNumber(name, text) {
  if (!NUMBER.test(text)) refuse(`${name} is "${text}", which is not a number (write 0.1, 1e-3 or 1/3)`);
  const [top, bottom] = text.split("/");
  if (bottom !== undefined && Number(bottom) === 0) refuse(`${name} is ${text}; the denominator must not be zero`);
  const value = bottom === undefined ? Number(top) : Number(top) / Number(bottom);
  if (value !== 0 && !(absolute(value) >= 1e-300 && absolute(value) <= 1e300))
    refuse(`${name} is ${text}; only 0 and sizes from 1e-300 to 1e300 are supported`);
  return value;
}

function inDomain(row, value) {
  if (row.integer && !Number.isInteger(value)) return false;
  if (row.low !== null && (value < row.low || (row.open && value === row.low))) return false;
  return row.high === null || value < row.high;
}

function checkedNumber(row, text) {
  const value = readNumber(row.name, text);
  if (!inDomain(row, value)) refuse(`${row.name} must be ${row.domain}, got ${text}`);
  return value;
}

// Numbers of steps are rounded up: decided exactly, in fractions [numerator, denominator].
function fraction(text) {
  const parts = text.split("/").map((part) => {
    const [, digits, decimals = "", exponent = "0"] = part.match(/^\+?(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i);
    const power = Number(exponent) - decimals.length, whole = BigInt(digits + decimals || "0");
    return power < 0 ? [whole, 10n ** BigInt(-power)] : [whole * 10n ** BigInt(power), 1n];
  });
  return parts.length === 1 ? parts[0] : [parts[0][0] * parts[1][1], parts[0][1] * parts[1][0]];
}
const TIMES = ["delta", "T", "t", "h"];
const minus = ([p, q], [r, s]) => [p * s - r * q, q * s];
const times = ([p, q], n) => [p * BigInt(n), q];
const isBelow = ([p, q], [r, s]) => p * s < r * q;
const floorOf = ([p, q], [r, s]) => { // of the quotient
  const [top, bottom] = [p * s, q * r], whole = top / bottom;
  return Number(top < 0n && whole * bottom !== top ? whole - 1n : whole);
};
const ceilOf = ([p, q], x) => -floorOf([-p, q], x);

// --- from what is given to values -----------------------------------------------------------------------------------

// Names that enter with the present choices: on a grid h may give way to N, and what no teacher takes is left out.
function takes(model, setting, row) {
  const {grid = "", teacher} = setting.options;
  if (!model.profiled) return true;
  if (row.name === "h") return grid === "" || grid === "two-stage" || grid === "uniform-h";
  if (row.name === "N") return ["uniform", "geometric", "edm"].includes(grid);
  if (row.name === "rho") return grid === "edm";
  if (row.name === "M") return model.teachers[teacher].needs.includes("M");
  return true;
}

// The number that stands in a row, under the row's name or that of its noise level: [name, text].
function givenIn(setting, row) {
  const both = [row.name, row.alias && row.alias.name].filter((x) => x && (setting.numbers[x] || "").trim());
  if (both.length > 1) refuse(`give ${both[1]} or ${both[0]}, not both`);
  return both.length ? [both[0], setting.numbers[both[0]].trim()] : null;
}

function readValues(model, setting) {
  const values = {}, exactly = {}, missing = [];
  for (const row of model.parameters) {
    if (!takes(model, setting, row)) continue;
    const found = givenIn(setting, row);
    if (!found) {
      const needed = !row.optional || ["h", "N", "M"].includes(row.name) && model.profiled;
      if (needed && !(row.name === "t_hat" && values.k === 1)) missing.push(row.name);
    } else if (found[0] === row.name) {
      values[row.name] = checkedNumber(row, found[1]);
      if (TIMES.includes(row.name)) exactly[row.name] = fraction(found[1]);
    } else {
      const sigma = checkedNumber(row.alias, found[1]);
      if (!(sigma >= 1e-150 && sigma <= 1e150)) refuse(`${found[0]} must lie between 1e-150 and 1e150, got ${found[1]}`);
      values[row.name] = F[model.timeOf]({sigma});
      exactly[row.name] = fraction(String(values[row.name]));
    }
  }
  const named = new Set(model.parameters.map((x) => x.name));
  for (const [one, other] of [["t", "T"], ["T", "t"]]) {
    if (named.has(one) && !(one in values) && other in values) {
      [values[one], exactly[one]] = [values[other], exactly[other]];
      if (missing.includes(one)) missing.splice(missing.indexOf(one), 1);
    }
  }
  if (missing.length) refuse(`${model.id} needs ${missing.join(", ")}`);
  if (named.has("tau") && !model.profiled && !("tau" in values)) values.tau = 0;
  if (model.profiled && "delta" in values) values.t_star = setting.options.t_star === "delta" ? values.delta : 0;
  return [values, exactly];
}

// Constants that cannot belong to one data law (cmbound.evaluation.law, which has the reasons).
function checkLaw(v, clock) {
  const wrong = (text, names) => {
    const got = names.filter((x) => x in v).map((x) => `${x} = ${shown(v[x])}`);
    refuse(`no data law has these constants: ${text}; got ${got.join(", ")}`);
  };
  const has = (...names) => names.every((x) => x in v), tau = v.tau || 0, above = 1 + 1e-12, printed = 1 + 1e-4;
  const noise = has("d") ? sqrt(v.d) * tau : tau > 0 ? Infinity : 0;
  const p = has("n_atoms") ? 1 / v.n_atoms : 0, w = p <= 0.5 ? 1 : 4 * p * (1 - p);
  if (has("sd2", "m2") && v.sd2 > v.m2 * above) wrong("sd2 must be at most m2", ["sd2", "m2"]);
  if (has("sd2", "d") && noise > v.sd2 * above) wrong("sd2 must be at least tau d^(1/2)", ["sd2", "tau", "d"]);
  if (has("sd2") && (has("R") || has("n_atoms"))) {
    const spread = w > 0 ? sqrt(w) * (v.R ?? Infinity) : 0, exact = tau === 0 && (w === 0 || w === 1);
    const bound = w === 1 ? "R" : "(4 p (1 - p))^(1/2) R, p the largest weight";
    const most = `sd2 must be at most ${bound}${tau > 0 ? ", or (R^2 + d tau^2)^(1/2) where tau > 0" : ""}`;
    const point = `one point has no spread, sd2 must be 0${has("tau") ? " or tau d^(1/2)" : ""}`;
    if (v.sd2 > Math.hypot(spread, noise) * (exact ? above : printed)) wrong(w > 0 ? most : point, ["sd2", "R", "tau", "n_atoms"]);
  }
  if (has("sd2", "diameter") && v.sd2 > Math.hypot(v.diameter / sqrt(2), noise) * printed)
    wrong("sd2 must be at most (diameter^2/2 + d tau^2)^(1/2)", ["sd2", "diameter", "tau", "d"]);
  if (has("d_eff", "d")) {
    if (v.d_eff > v.d) wrong("d_eff must be at most d", ["d_eff", "d"]);
    if (tau > 0 && v.d > v.d_eff) wrong("data with a Gaussian part (tau > 0) have d_eff = d", ["d_eff", "d", "tau"]);
  }
  if (has("d_eff", "n_atoms") && tau === 0 && v.d_eff > maximum(v.n_atoms - 1, 1))
    wrong("d_eff must be at most n_atoms - 1 (and 1 for one point)", ["d_eff", "n_atoms"]);
  if (!has("L_s")) return;
  const start = v.t_star || 0, decay = exp(-2 * start), rest = -expm1(-2 * start), L = clock === "ve" ? v.L_s / decay : v.L_s;
  if (has("sd2", "d") && 1 > L * (decay * v.sd2 ** 2 / v.d + rest) * above)
    wrong("a score that is L_s-Lipschitz from t_star on needs c^2 sd2^2 + s^2 d >= d/L_s there", ["L_s", "sd2", "d", "t_star"]);
  const flat = has("d_eff", "d") && v.d_eff < v.d, bounded = has("R") || has("n_atoms");
  const least = flat ? rest : tau ** 2 * decay + rest;
  if ((bounded || flat) && least > 0 && 1 > L * least * above)
    wrong(`for data in ${bounded ? "a ball" : "a subspace"} L_s must be at least 1/(tau^2 c^2 + s^2) at t_star`,
      ["L_s", "R", "n_atoms", "d_eff", "d", "tau", "t_star"]);
}

function checkAssumptions(model, values, onGrid) {
  for (const x of model.assumptions) {
    if (!x.names || (onGrid && x.names.includes("h")) || !x.names.every((name) => name in values)) continue;
    const high = F[x.high](values), low = F[x.low](values);
    const holds = x.strict ? high > low : !(high < low - 4 * Number.EPSILON * absolute(high));
    if (holds) continue;
    const got = x.names.map((name) => `${name} = ${shown(values[name])}`);
    refuse(`assumption "${x.id}" of ${model.id} is violated: ${x.text}; got ${got.join(", ")}`);
  }
}

// --- the steps of a grid ------------------------------------------------------------------------------------------------

const MOST_STEPS = 100000;
const tooLong = () => refuse(`the grid has more than ${MOST_STEPS} steps: too many for this page, use the command line`);

function nodesOf(model, kind, v, exactly) {
  const width = minus(exactly.T, exactly.delta);
  if (width[0] <= 0n) refuse(`delta must be below T, got delta = ${shown(v.delta)}, T = ${shown(v.T)}`);
  if ("h" in v && isBelow(width, exactly.h))
    refuse(`h must be at most T - delta = ${shown(v.T - v.delta)}, got h = ${shown(v.h)}`);
  if (kind === "two-stage") return twoStage(v, exactly, width);
  const N = kind === "uniform-h" ? ceilOf(width, exactly.h) : v.N;
  if (N > MOST_STEPS) tooLong();
  const at = {delta: v.delta, T: v.T, N, rho: v.rho ?? 7, j: 0}, nodes = [v.delta];
  for (at.j = 1; at.j < N; at.j++) nodes.push(F[model.nodes[kind === "uniform-h" ? "uniform" : kind]](at));
  nodes.push(v.T);
  return nodes;
}

function twoStage(v, exactly, width) { // from T downwards steps min(h, t/2); the last node is delta
  const {T, h, delta} = exactly;
  const full = maximum(0, minimum(ceilOf(width, h) - 1, floorOf(minus(T, times(h, 2)), h) + 1));
  if (full > MOST_STEPS) tooLong();
  let t = minus(T, times(h, full)), halvings = 0;
  const half = ([p, q]) => [p, 2n * q], step = (x) => (isBelow(h, half(x)) ? h : half(x));
  while (isBelow(delta, minus(t, step(t)))) [t, halvings] = [minus(t, step(t)), halvings + 1];
  const down = [], last = v.T - full * v.h;
  for (let i = 0; i <= full; i++) down.push(v.T - i * v.h);
  for (let i = 1; i <= halvings; i++) down.push(last / 2 ** i);
  return [v.delta, ...down.reverse()];
}

// Columns with an entry for each step, by name: beginnings, ends, sizes, constants, and the weight of local errors.
function stepsOf(model, teacher, clock, nodes, v) {
  const size = nodes.length - 1, rows = {a: nodes.slice(0, -1), b: nodes.slice(1)};
  rows.h = rows.b.map((b, i) => b - rows.a[i]);
  if (rows.h.some((x) => !(x > 0))) refuse("the nodes of the grid do not increase in float64: too many steps, or an extreme rho");
  const column = (name, at, given) => {
    rows[name] = at.map((a) => inOu(model, clock, name, {...v, [name]: given, a}));
  };
  column("L_f", rows.a, v.L_f);
  column("eps_sc", rows.b, v.eps_sc);
  column("eps_sc_a", rows.a, v.eps_sc);
  column("eps_cm", rows.a, v.eps_cm);
  const weight = F[model.teachers[teacher].weight];
  rows.weight = rows.L_f.map((L, i) => L * weight({a: rows.a[i]}));
  return {nodes, size, rows};
}

const inOu = (model, clock, name, v) => (clock === "ve" && name in model.inOu ? F[model.inOu[name]](v) : v[name]);

function eachStep(steps, v, names, end, f, visit) { // calls visit(value, i) for the steps before node ``end``
  const row = {...v};
  for (let i = 0; i < end; i++) {
    for (const name of names) row[name] = steps.rows[name][i];
    visit(f(row), i);
  }
}
const COLUMNS = ["a", "b", "h", "L_f", "eps_sc", "eps_sc_a", "eps_cm"];

function nodeAt(steps, time, v) { // the node at a time: T, or the nearest one
  if (time === v.T) return steps.size;
  let nearest = 1;
  steps.nodes.forEach((x, i) => { if (i && absolute(x - time) < absolute(steps.nodes[nearest] - time)) nearest = i; });
  return nearest;
}

// --- the choice of profiles ---------------------------------------------------------------------------------------------

function unavailable(profile, teacher, given, tau) {
  if (!(teacher in profile.rules))
    return `profile ${profile.name} does not cover the ${teacher} teacher (it covers ${Object.keys(profile.rules).join(", ")})`;
  if (profile.noTau && tau > 0) return `profile ${profile.name} needs tau = 0: with tau > 0, R is the radius of U, not of the data`;
  const have = new Set([...given, "t_star"]);
  if (profile.halved && have.has("diameter")) have.add("R");
  if (profile.centred && (have.has("sd2") || (profile.halved && have.has("R")))) have.add("m2");
  const missing = profile.needs[teacher].filter((x) => !have.has(x));
  return missing.length ? `profile ${profile.name} needs ${missing.join(", ")}` : null;
}

function entriesOf(model, options, values) { // the rules to choose from, each with its profile's name
  const given = Object.keys(values), asked = options.profile;
  const fits = (p) => unavailable(p, options.teacher, given, values.tau || 0);
  const wanted = model.profiles.filter((p) => (asked === "auto" ? fits(p) === null : p.name === asked));
  if (!wanted.length) refuse(`no profile is available for the ${options.teacher} teacher with the given parameters`);
  if (asked !== "auto" && fits(wanted[0])) refuse(fits(wanted[0]));
  return wanted.flatMap((p) => p.rules[options.teacher].map((rule) => ({...rule, profile: p.name})));
}

// What the rules are written in: a constant that is not given is so large that it never stands for another.
function constantsFor(v) {
  const all = {...v};
  all.m2 ??= Infinity;
  all.sd2 ??= all.m2;
  all.R ??= Infinity;
  all.diameter ??= Infinity;
  all.d_eff ??= all.d;
  all.tau ??= 0;
  if ("n_atoms" in all) [all.nu, all.entropy] = [all.n_atoms, log(all.n_atoms)];
  return all;
}

const finite = (x) => (Number.isFinite(x) ? x : Infinity);
const TIE = 1e-12; // rounding alone must not split a stretch

// The best path over ``times``, where cost(rule, i, k) is that of using a rule from time number i to number k.
function choosePath(rules, times, cost) {
  const last = times.length - 1;
  let whole = {cost: Infinity};
  for (const rule of rules) {
    const found = cost(rule, 0, last);
    if (whole.rule === undefined || found < whole.cost) whole = {cost: found, rule};
  }
  const single = {cost: whole.cost, path: [{profile: whole.rule.profile, from: times[0], to: times[last]}]};
  if (last === 1 || (rules.length === 1 && !rules[0].roots.length)) return single;
  const best = [0], origin = [null];
  for (let k = 1; k <= last; k++) {
    best[k] = Infinity;
    for (let i = 0; i < k; i++) {
      for (const rule of rules) {
        const through = best[i] + cost(rule, i, k);
        if (through < best[k]) [best[k], origin[k]] = [through, {i, profile: rule.profile}];
      }
    }
  }
  if (!(best[last] < whole.cost * (1 - TIE))) return single;
  const path = [];
  for (let k = last; k > 0; k = origin[k].i) path.unshift({profile: origin[k].profile, from: times[origin[k].i], to: times[k]});
  return {cost: best[last], path};
}

// Evenly in log t, and where a bound changes its shape.
function candidateTimes(model, rules, v, low, end) {
  const inside = (t) => minimum(maximum(t, low), end), found = [];
  for (let i = 0; i < model.candidates; i++) found.push(inside(low * exp((log(end / low) * i) / (model.candidates - 1))));
  for (const f of new Set(rules.flatMap((x) => x.breakpoints))) {
    const t = F[f](v);
    found.push(inside(Number.isNaN(t) ? 0 : t));
  }
  found.push(low, end);
  return [...new Set(found)].sort((x, y) => x - y);
}

// Closed form in the largest step h: a stretch pays for up to one step after its end, and the next one from its end on.
function closedPath(model, rules, v, end) {
  const combinable = rules.length > 1 || rules[0].roots.length;
  const times = combinable ? candidateTimes(model, rules, v, v.delta, end) : [v.delta, end];
  const at = {...v, a: 0, b: 0}, last = times.length - 1;
  return choosePath(rules, times, (rule, i, k) => {
    if (!rule.cuttable && (i > 0 || k < last)) return Infinity;
    at.a = times[i];
    at.b = k === last ? end : minimum(times[k] + v.h, end);
    return finite(F[rule.bound](at));
  });
}

// On a grid: sums over its steps between candidate nodes.
function gridPath(model, rules, steps, v, last) {
  const nodes = steps.nodes.slice(0, last + 1);
  let chosen = nodes.map((_, i) => i);
  if (nodes.length > model.candidates) {
    const first = (t) => { // the first node from a time on
      let low = 0, high = last;
      while (low < high) nodes[(low + high) >> 1] < t ? (low = ((low + high) >> 1) + 1) : (high = (low + high) >> 1);
      return low;
    };
    const wanted = candidateTimes(model, rules, v, nodes[0], nodes[last]).map(first);
    chosen = [...new Set([0, last, ...wanted])].sort((x, y) => x - y);
  }
  const times = chosen.map((i) => nodes[i]), known = new Map();
  return choosePath(rules, times, (rule, i, k) => {
    if (!known.has(rule)) known.set(rule, gridCosts(rule, steps, v, chosen));
    return known.get(rule)(i, k);
  });
}

// By the numbers of two candidate nodes: the sum, or the largest, of the entries between them.
function between(column, chosen, combine, start) {
  const parts = chosen.slice(1).map((end, i) => {
    let total = start;
    for (let n = chosen[i]; n < end; n++) total = combine(total, column[n]);
    return total;
  });
  return parts.map((_, i) => {
    let total = start;
    return [...Array(i + 1).fill(start), ...parts.slice(i).map((x) => (total = combine(total, x)))];
  });
}

function gridCosts(rule, steps, v, chosen) {
  const {rows, nodes} = steps, last = chosen[chosen.length - 1], add = (x, y) => x + y;
  const summed = (f, weight) => {
    const column = [];
    eachStep(steps, v, COLUMNS, last, F[f], (x, i) => column.push(weight(rows.weight[i]) * x));
    return between(column.map(finite), chosen, add, 0);
  };
  const sum = rule.steps === null ? null : summed(rule.steps, (w) => w);
  const roots = rule.roots.map((x) => ({energy: summed(x.energy, (w) => w * w), factor: F[x.factor]}));
  const [widest, heaviest] = rule.whole === null ? [] :
    [rows.h, rows.weight].map((x) => between(x, chosen, maximum, -Infinity));
  const at = {...v}, best = new Map(), places = chosen.length;
  return (i, k) => {
    [at.a, at.b] = [nodes[chosen[i]], nodes[chosen[k]]];
    if (rule.free) {
      const place = rule.free.fromStart ? i * places + k : k;
      if (!best.has(place)) best.set(place, bestFree(rule.free, at));
      at[rule.free.name] = best.get(place);
    }
    let cost = sum ? sum[i][k] : 0;
    for (const x of roots) cost += sqrt(x.energy[i][k]) * x.factor(at);
    if (rule.whole !== null) cost += heaviest[i][k] * F[rule.whole]({...at, h: widest[i][k]});
    return finite(cost);
  };
}

function bestFree(free, v) { // bisection on the slope of the bound, which is flat where it ends: fewer halvings would do
  let {low, high} = free;
  for (let n = 0; n < 50; n++) {
    v[free.name] = (low + high) / 2;
    F[free.slope](v) < 0 ? (low = v[free.name]) : (high = v[free.name]);
  }
  return (low + high) / 2;
}

// --- terms --------------------------------------------------------------------------------------------------------------

// The value of a setting: {total, terms, trivial, paths, snapped}. Raises Refusal where it has none.
function evaluate(model, setting) {
  const options = setting.options, {to = "p_data", start = "standard", clock = "ou", grid = ""} = options;
  const [values, exactly] = readValues(model, setting);
  checkLaw(values, clock);
  if (values.k > 10000) refuse(`k must be at most 10000, got ${values.k}`);
  const sums = model.teachers ? sumsOf(model, options, values, exactly) : null;
  const snapped = sums && sums.steps ? snap(sums.steps, values) : {};
  if (grid !== "" || clock === "ve") {
    for (const name of ["T", "t"])
      if (values[name] > 350) refuse(`${name} must be at most 350 ${clock === "ve" ? "in the ve clock" : "on a grid"}, got ${shown(values[name])}`);
  }
  checkAssumptions(model, values, grid !== "");
  const variant = model.variants[`${to} ${start} ${clock}`], evaluations = model.scheduled ? values.k - 1 : 0;
  const scheduled = {values, times: [values.T, ...Array(evaluations).fill(values.t_hat)]};
  const terms = {};
  for (const x of variant.terms) terms[x.name] = termValue(x, values, sums, scheduled);
  if (variant.recursion && evaluations) {
    const {slope, added, scale} = variant.recursion, factor = termValue(slope, values, sums, scheduled);
    const extra = added.map((x) => (scale === null ? 1 : F[scale](values)) * termValue(x, values, sums, scheduled));
    for (let n = 0; n < evaluations; n++) added.forEach((x, i) => { terms[x.name] = factor * terms[x.name] + extra[i]; });
  }
  const total = Object.values(terms).reduce((x, y) => x + y, 0);
  if (!Number.isFinite(total)) refuse("the value exceeds the float64 range of this page: use the certified tier of the command line");
  const trivial = variant.trivial === null ? null : F[variant.trivial](values);
  const paths = sums ? Object.entries(sums.paths).map(([end, x]) => ({end, path: x.path})) : [];
  return {total, terms, trivial, paths, snapped, values};
}

function snap(steps, values) { // times of a grid are nodes
  const moved = {};
  for (const name of ["t", "t_hat"]) {
    if (!(name in values)) continue;
    const node = steps.nodes[nodeAt(steps, values[name], values)];
    if (absolute(node - values[name]) > 1e-9 * values[name]) moved[name] = node;
    values[name] = node;
  }
  return moved;
}

function termValue(term, values, sums, scheduled) {
  const at = {...values};
  term.holders.forEach((x, i) => { at[`p${i}`] = holderValue(x, values, sums, scheduled); });
  return F[term.f](at);
}

function holderValue(x, values, sums, {times}) {
  if (x.kind === "LastTime") return times[times.length - 1];
  if (x.kind !== "ScheduleSum") return sums[x.kind](values[x.end], x.end);
  let total = 0;
  for (let n = 1; n < times.length; n++) total += F[x.step]({...values, t_prev: times[n - 1], t_hat: times[n]});
  return total;
}

// What the place-holders of a statement stand for, as functions of the time they end at.
function sumsOf(model, options, values, exactly) {
  const {teacher = "exponential-integrator", clock = "ou", grid = ""} = options, who = model.teachers[teacher], paths = {};
  if (grid === "" && who.needsGrid) refuse(`teacher ${teacher} has no closed form in h: choose a grid`);
  const steps = grid === "" ? null : stepsOf(model, teacher, clock, nodesOf(model, grid, values, exactly), values);
  const rules = model.profiled ? entriesOf(model, options, values) : [], all = constantsFor(values);
  const upTo = (end, names) => { // constants that grow, as they are at a time
    const found = {...all};
    for (const name of names) if (name in found) found[name] = inOu(model, clock, name, {...all, a: end});
    return found;
  };
  const summed = (f, end) => {
    if (!steps) return F[f]({...upTo(end, ["L_f", "eps_sc", "eps_cm", "L_s", "L_os"]), a: values.delta, b: end});
    let total = 0;
    eachStep(steps, all, COLUMNS, nodeAt(steps, end, values), F[f], (x) => { total += x; });
    return total;
  };
  return {
    steps,
    paths,
    LipschitzAt: (end) => inOu(model, clock, "L_f", {...values, a: end}),
    ConsistencySum: (end) => summed(model.consistency, end),
    ScoreSum: (end) => summed(who.score, end),
    LocalErrorSum: (end, name) => {
      paths[name] ??= steps
        ? gridPath(model, rules, steps, upTo(end, ["L_s", "L_os"]), nodeAt(steps, end, values))
        : closedPath(model, rules, upTo(end, ["L_f", "L_s", "L_os"]), end);
      return paths[name].cost;
    },
  };
}
