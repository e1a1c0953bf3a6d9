// The choice of profiles: a shortest path over candidate times, where a stretch costs the smallest bound on it
// (cmbound.evaluation.paths, for one setting).

function unavailable(profile, teacher, given, tau) {
  if (!(teacher in profile.rules))
    return `profile ${profile.name} does not cover the ${teacher} teacher (it covers ${Object.keys(profile.rules).join(", ")})`;
  if (profile.noTau && tau > 0)
    return `profile ${profile.name} needs tau = 0: with tau > 0, R is the radius of U, not of the data`;
  const have = new Set([...given, "t_star"]);
  if (profile.halved && have.has("diameter")) have.add("R");
  if (profile.centred && (have.has("sd2") || (profile.halved && have.has("R")))) have.add("m2");
  const missing = profile.needs[teacher].filter((x) => !have.has(x));
  return missing.length ? `profile ${profile.name} needs ${missing.join(", ")}` : null;
}

function entriesOf(model, options, values) {
  // the rules to choose from, each with its profile's name
  const given = Object.keys(values),
    asked = options.profile;
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
  const best = [0],
    origin = [null];
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
  const inside = (t) => minimum(maximum(t, low), end),
    found = [];
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
  const at = {...v, a: 0, b: 0},
    last = times.length - 1;
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
    const first = (t) => {
      // the first node from a time on
      let low = 0,
        high = last;
      while (low < high) nodes[(low + high) >> 1] < t ? (low = ((low + high) >> 1) + 1) : (high = (low + high) >> 1);
      return low;
    };
    const wanted = candidateTimes(model, rules, v, nodes[0], nodes[last]).map(first);
    chosen = [...new Set([0, last, ...wanted])].sort((x, y) => x - y);
  }
  const times = chosen.map((i) => nodes[i]),
    known = new Map();
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
  const {rows, nodes} = steps,
    last = chosen[chosen.length - 1],
    add = (x, y) => x + y;
  const summed = (f, weight) => {
    const column = [];
    eachStep(steps, v, COLUMNS, last, F[f], (x, i) => column.push(weight(rows.weight[i]) * x));
    return between(column.map(finite), chosen, add, 0);
  };
  const sum = rule.steps === null ? null : summed(rule.steps, (w) => w);
  const roots = rule.roots.map((x) => ({energy: summed(x.energy, (w) => w * w), factor: F[x.factor]}));
  const [widest, heaviest] = rule.whole === null ? [] : [rows.h, rows.weight].map((x) => between(x, chosen, maximum, -Infinity));
  const at = {...v},
    best = new Map(),
    places = chosen.length;
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

function bestFree(free, v) {
  // bisection on the slope of the bound, which is flat where it ends: fewer halvings would do
  let {low, high} = free;
  for (let n = 0; n < 50; n++) {
    v[free.name] = (low + high) / 2;
    F[free.slope](v) < 0 ? (low = v[free.name]) : (high = v[free.name]);
  }
  return (low + high) / 2;
}
