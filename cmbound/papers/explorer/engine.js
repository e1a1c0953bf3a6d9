// The float64 tier of cmbound over again: from a setting to the terms of a statement. It computes with the functions F that were
// generated from the statement's own expressions; what is written here, in reading.js, grids.js and profiles.js is checks and sums.

// The value of a setting: {total, terms, trivial, centred, paths, snapped}. Raises Refusal where it has none.
function evaluate(model, setting) {
  const options = setting.options,
    {to = "p_data", start = "standard", clock = "ou", grid = ""} = options;
  const [values, exactly] = readValues(model, setting);
  checkLaw(values, clock);
  if (values.k > 10000) refuse(`k must be at most 10000, got ${values.k}`);
  const sums = model.teachers ? sumsOf(model, options, values, exactly) : null;
  const snapped = sums && sums.steps ? snap(sums.steps, values) : {};
  if (grid !== "" || clock === "ve") {
    for (const name of ["T", "t"])
      if (values[name] > 350)
        refuse(`${name} must be at most 350 ${clock === "ve" ? "in the ve clock" : "on a grid"}, got ${shown(values[name])}`);
  }
  checkAssumptions(model, values, grid !== "");
  const variant = model.variants[`${to} ${start} ${clock}`],
    evaluations = model.scheduled ? values.k - 1 : 0;
  const scheduled = {values, times: [values.T, ...Array(evaluations).fill(values.t_hat)]};
  const terms = {};
  for (const x of variant.terms) terms[x.name] = termValue(x, values, sums, scheduled);
  if (variant.recursion && evaluations) {
    const {slope, added, scale} = variant.recursion,
      factor = termValue(slope, values, sums, scheduled);
    const extra = added.map((x) => (scale === null ? 1 : F[scale](values)) * termValue(x, values, sums, scheduled));
    for (let n = 0; n < evaluations; n++)
      added.forEach((x, i) => {
        terms[x.name] = factor * terms[x.name] + extra[i];
      });
  }
  const total = Object.values(terms).reduce((x, y) => x + y, 0);
  if (!Number.isFinite(total))
    refuse("the value exceeds the float64 range of this page: use the certified tier of the command line");
  const centred = values.sd2 !== undefined,
    yardstick = centred ? variant.centred : variant.trivial;
  const trivial = yardstick === null ? null : F[yardstick](constantsFor(values));
  const paths = sums ? Object.entries(sums.paths).map(([end, x]) => ({end, path: x.path})) : [];
  return {total, terms, trivial, centred, paths, snapped, values};
}

function snap(steps, values) {
  // times of a grid are nodes
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
  term.holders.forEach((x, i) => {
    at[`p${i}`] = holderValue(x, values, sums, scheduled);
  });
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
  const {teacher = "exponential-integrator", clock = "ou", grid = ""} = options,
    who = model.teachers[teacher],
    paths = {};
  if (grid === "" && who.needsGrid) refuse(`teacher ${teacher} has no closed form in h: choose a grid`);
  const steps = grid === "" ? null : stepsOf(model, teacher, clock, nodesOf(model, grid, values, exactly), values);
  const rules = model.profiled ? entriesOf(model, options, values) : [],
    all = constantsFor(values);
  const upTo = (end, names) => {
    // constants that grow, as they are at a time
    const found = {...all};
    for (const name of names) if (name in found) found[name] = inOu(model, clock, name, {...all, a: end});
    return found;
  };
  const summed = (f, end) => {
    if (!steps) return F[f]({...upTo(end, ["L_f", "eps_sc", "eps_cm", "L_s", "L_os"]), a: values.delta, b: end});
    let total = 0;
    eachStep(steps, all, COLUMNS, nodeAt(steps, end, values), F[f], (x) => {
      total += x;
    });
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
