// What a reader of a value must be told besides (cmbound.evaluation.notes), and what would help where it says nothing
// (cmbound.evaluation.advice). The sentences are the package's own.

const words = (name) => name.replace(/_/g, " ");
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const isVacuous = (found) => found.trivial !== null && found.total >= found.trivial;
const largestOf = (found) => Object.entries(found.terms).reduce((x, y) => (y[1] > x[1] ? y : x), ["", 0])[0];

// The sentences; ``helps`` is one that was looked for.
function notesOf(model, setting, found, helps) {
  const {says} = model,
    {clock = "ou"} = setting.options,
    v = found.values,
    ve = clock === "ve",
    vacuous = isVacuous(found);
  const notes = model.standing.map((x) => filled(x, {C: setting.numbers.C}));
  if (vacuous) {
    const term = largestOf(found),
      share = `${Math.round((100 * found.terms[term]) / found.total)}%`;
    const known = says.known || `the ${found.centred ? "best constant (the mean)" : "constant 0"} achieves`;
    notes.push(filled(says.vacuous, {known, trivial: upper(found.trivial), term: words(term), share}));
  }
  if (v.m2 > says.far * v.sd2 && v.sd2 > 0) notes.push(says.uncentred);
  if (ve && vacuous && v.L_f >= 1 && says.oneLipschitz) notes.push(says.oneLipschitz);
  const levels = Object.values(found.levels).map(([name]) => name);
  if (levels.length && !ve && says.remedy) notes.push(filled(says.levels, {levels: levels.join(", "), remedy: says.remedy}));
  if (helps) notes.push(helps);
  if (ve && says.ve) notes.push(says.ve);
  if (model.remark) notes.push(model.remark);
  const {k, total} = found.smallest;
  if (total < found.total * (1 - 1e-6)) notes.push(filled(says.earlier, {k, value: upper(total)}));
  const fromZero = v.t_star === undefined || v.t_star === 0,
    rests = restsOn(model, found);
  if (rests.has("A2") && (rests.has("support") || rests.has("atoms")) && fromZero) notes.push(says.notFromZero);
  if (rests.has("A2") && fromZero && !ve && v.sd2 === undefined && v.m2 ** 2 < (v.d / v.L_s) * (1 - 1e-9))
    notes.push(says.littleSpread);
  return notes;
}

// The ids of the assumptions of a value, those of its profiles among them.
function restsOn(model, found) {
  const used = new Set(found.paths.flatMap((x) => x.path.map((y) => y.profile)));
  const own = (model.profiles || []).filter((x) => used.has(x.name)).flatMap((x) => x.assumptions);
  return new Set([...model.assumptions, ...own].map((x) => x.id));
}

// Settings that differ in one thing a user can change, by one of the factors, each with what it is in words.
function changesOf(model, setting, [factor, lower, raised]) {
  const {says} = model,
    changes = [];
  const change = (text, numbers, options) =>
    changes.push([text, {numbers: {...setting.numbers, ...numbers}, options: {...setting.options, ...options}}]);
  for (const [names, share, words] of [
    [says.lowered, 1 / factor, lower],
    [says.raised, factor, raised],
  ]) {
    for (const name of names) {
      const row = model.parameters.find((x) => x.name === name || (x.alias && x.alias.name === name));
      const given = row && takes(model, setting, row) && givenIn(setting, row);
      if (!given || given[0] !== name) continue;
      const before = readNumber(name, given[1]),
        after = name === "L_f" ? maximum(before * share, 1) : before * share;
      const word = after === before * share ? `${filled(words, {name})} (${rounded(after)})` : `${name} = ${rounded(after)}`;
      if (after !== before) change(word, {[name]: String(after)});
    }
  }
  const {teacher, start} = setting.options;
  if (model.profiled && teacher !== "heun" && setting.numbers.M) change("teacher = heun", {}, {teacher: "heun"});
  if (start === "standard") change("start = matched", {}, {start: "matched"});
  return changes;
}

// Settings that leave out one number that may be left out, each with its name.
function withoutOne(model, setting) {
  const given = model.parameters.filter((x) => x.optional && takes(model, setting, x)).map((x) => givenIn(setting, x));
  const numbers = given.filter(Boolean).map(([name]) => [name, {...setting.numbers, [name]: ""}]);
  return numbers.map(([name, left]) => [name, {numbers: left, options: setting.options}]);
}

// The sentence for [text, total] of the changes that have a value, empty where none helps.
function whatHelps(model, total, tried) {
  const {says} = model;
  const gains = tried.filter((x) => x[1] < says.worth * total).sort((x, y) => x[1] - y[1] || (x[0] < y[0] ? -1 : 1));
  if (!gains.length) return "";
  const changes = gains.slice(0, says.named).map(([change, x]) => filled(says.gives, {change, value: upper(x, 4)}));
  return filled(says.most, {changes: changes.join(", ")});
}

// The search for what helps, one small job after the other: more is tried only where less is no help.
function searchFor(model, setting, found, total, tell) {
  let said = "";
  const jobs = model.says.factors.flatMap((factor) => {
    const totals = [];
    const one = ([text, changed]) => () => said || totals.push([text, total(changed)]);
    return [...changesOf(model, setting, factor).map(one), () => (said = said || whatHelps(model, found.total, totals))];
  });
  return [...jobs, () => tell(said || model.says.nothing)];
}
