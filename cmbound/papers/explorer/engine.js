// The float64 tier of cmbound over again: from a setting to the terms of a statement. It computes with the functions F that were
// generated from the statement's own expressions; what is written here, in reading.js, grids.js and profiles.js is checks and sums.

// The value of a setting: {total, terms, trivial, centred, paths, snapped, smallest, values, levels}. Raises Refusal where it has
// none. ``snapped`` are the times that were put at nodes, by the name they were given under; ``smallest`` the best evaluation.
function evaluate(model, setting) {
  const options = setting.options,
    {to = "p_data", start = "standard", clock = "ou", grid = ""} = options;
  const {values, exactly, levels} = readValues(model, setting);
  checkLaw(values, clock);
  if (values.k > 10000) refuse(`k must be at most 10000, got ${values.k}`);
  checkAssumptions(model, values, levels, setting);
  if (grid !== "" || clock === "ve") {
    for (const name of ["T", "t"])
      if (values[name] > 350)
        refuse(`${name} must be at most 350 ${clock === "ve" ? "in the ve clock" : "on a grid"}, got ${shown(values[name])}`);
  }
  const sums = model.teachers ? sumsOf(model, options, values, exactly, levels) : null;
  const snapped = sums && sums.steps ? snap(sums.steps, values, levels) : {};
  const variant = model.variants[`${to} ${start} ${clock}`],
    evaluations = model.scheduled ? values.k - 1 : 0;
  const terms = {},
    smallest = {k: 1, total: Infinity},
    schedule = {k: 1, sums: {}},
    next = variant.recursion && evaluations ? recursion(variant.recursion, values, sums) : null;
  let total = 0;
  for (let k = 1; k <= evaluations + 1; schedule.k = ++k) {
    if (k > 1 && next) next(terms);
    else for (const x of variant.terms) terms[x.name] = termValue(x, values, sums, schedule);
    total = Object.values(terms).reduce((x, y) => x + y, 0);
    if (total < smallest.total) Object.assign(smallest, {k, total});
  }
  if (!Number.isFinite(total))
    refuse("the value exceeds the float64 range of this page: use the certified tier of the command line", true);
  for (const [name, x] of Object.entries(terms)) if (x < 0) refuse(`the term ${name} is negative: ${model.id} is not a bound`);
  const centred = values.sd2 !== undefined,
    yardstick = centred ? variant.centred : variant.trivial;
  const trivial = yardstick === null ? null : F[yardstick](constantsFor(values));
  const paths = sums ? Object.entries(sums.paths).map(([end, x]) => ({end, path: x.path})) : [];
  return {total, terms, trivial, centred, paths, snapped, smallest, values, levels};
}

function snap(steps, values, levels) {
  // times of a grid are nodes
  const moved = {};
  for (const name of ["t", "t_hat"]) {
    if (!(name in values)) continue;
    const node = steps.nodes[nodeAt(steps, values[name], values)],
      [given, x] = name in levels ? [levels[name][0], sqrt(expm1(2 * node))] : [name, node];
    if (absolute(node - values[name]) > 1e-9 * values[name]) moved[given] = x;
    values[name] = node;
  }
  return moved;
}

// One more evaluation of a multistep sampler, which changes the terms.
function recursion({slope, added, scale}, values, sums) {
  const factor = termValue(slope, values, sums),
    extra = added.map((x) => (scale === null ? 1 : F[scale](values)) * termValue(x, values, sums));
  return (terms) =>
    added.forEach((x, i) => {
      terms[x.name] = factor * terms[x.name] + extra[i];
    });
}

function termValue(term, values, sums, schedule) {
  const at = {...values};
  term.holders.forEach((x, i) => {
    at[`p${i}`] = holderValue(x, values, sums, schedule);
  });
  return F[term.f](at);
}

function holderValue(x, values, sums, schedule) {
  const {k, sums: reached} = schedule || {};
  if (x.kind === "LastTime") return k === 1 ? values.T : values.t_hat;
  if (x.kind !== "ScheduleSum") return sums[x.kind](values[x.end], x.end);
  const [before, total] = reached[x.step] || [1, 0]; // one sum may stand in several terms
  if (before < k) reached[x.step] = [k, total + F[x.step]({...values, t_prev: k === 2 ? values.T : values.t_hat})];
  return (reached[x.step] || [1, 0])[1];
}

// What the place-holders of a statement stand for, as functions of the time they end at.
function sumsOf(model, options, values, exactly, levels) {
  const {teacher = "exponential-integrator", clock = "ou", grid = ""} = options,
    who = model.teachers[teacher],
    paths = {};
  if (grid === "" && who.needsGrid) refuse(`teacher ${teacher} has no closed form in h: choose a grid`);
  const steps = grid === "" ? null : stepsOf(model, teacher, clock, nodesOf(model, grid, values, exactly, levels), values);
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
