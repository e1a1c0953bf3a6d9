// What a state of the page is as text: its link, the command line, Python and LaTeX. A state is {A, B, over}: two settings (B may be
// null), each {numbers, options} with numbers as they were typed, and the parameter of the plot.

const NUMBERS_AS_OPTIONS = ["t_star"]; // chosen on the page, a parameter elsewhere

function toHash(state) {
  const parts = new URLSearchParams();
  for (const side of ["A", "B"]) {
    if (!state[side]) continue;
    for (const kind of ["options", "numbers"])
      for (const [name, text] of Object.entries(state[side][kind])) if (text !== "") parts.append(`${side}.${name}`, text);
  }
  parts.append("over", state.over);
  return `#${parts}`;
}

// The state a link asks for; what it does not say is as in ``usual``, and what the page does not have is left out.
function fromHash(model, hash, usual) {
  const parts = new URLSearchParams(hash.replace(/^#/, "")),
    sides = {A: null, B: null};
  const rows = new Set(model.parameters.flatMap((x) => [x.name, ...(x.alias ? [x.alias.name] : [])]));
  for (const [key, text] of parts) {
    const [side, name] = key.split("."),
      allowed = model.choices[name];
    if (!(side in sides) || !(rows.has(name) || (allowed && allowed.includes(text)))) continue;
    sides[side] ??= {numbers: {}, options: {}};
    sides[side][allowed ? "options" : "numbers"][name] = text;
  }
  if (!sides.A) return usual;
  for (const found of Object.values(sides)) {
    if (found) for (const [name, values] of Object.entries(model.choices)) found.options[name] ??= values[0];
  }
  return {...sides, over: rows.has(parts.get("over")) ? parts.get("over") : usual.over};
}

// What is to be given to the package, as [name, text]: parameters and options that are not the usual ones.
function asked(model, setting, snapped = {}) {
  const numbers = [],
    options = [];
  for (const row of model.parameters) {
    const found = takes(model, setting, row) && givenIn(setting, row);
    if (found) numbers.push(row.name in snapped ? [row.name, String(snapped[row.name])] : found);
  }
  for (const [name, values] of Object.entries(model.choices)) {
    const chosen = setting.options[name] === "uniform-h" ? "uniform" : setting.options[name];
    if (chosen !== values[0]) (NUMBERS_AS_OPTIONS.includes(name) ? numbers : options).push([name, chosen]);
  }
  return {numbers, options};
}

function asCommand(model, setting, snapped) {
  const {numbers, options} = asked(model, setting, snapped);
  const words = [`cmbound evaluate ${model.commandId}`, ...model.define.map((x) => `--define ${x}`)];
  words.push(...options.map(([name, x]) => `--${name} ${x}`), ...numbers.map(([name, x]) => `-p ${name}=${x}`));
  return words.join(" ");
}

function asPython(model, setting, snapped) {
  const {numbers, options} = asked(model, setting, snapped);
  const given = [...numbers, ...options].map(([name, x]) => `    ${name}=${JSON.stringify(x)},`);
  const first = model.own ? ["# a statement of your own: cmbound.register it first"] : [];
  return ["import cmbound", "", ...first, `bound = cmbound.theorem(${JSON.stringify(model.id)}).evaluate(`, ...given, ")"].join(
    "\n",
  );
}

function formulaOf(model, setting) {
  const {teacher = "exponential-integrator", to = "p_data", start = "standard", clock = "ou"} = setting.options;
  const {left, terms} = model.formulas.by[`${teacher} ${to} ${start} ${clock}`],
    texts = model.formulas.texts;
  return {left: texts[left], terms: Object.entries(terms).map(([name, i]) => [name, texts[i]])};
}

function asLatex(model, setting, found) {
  // found: what evaluate gives, or null
  const {left, terms} = formulaOf(model, setting),
    {numbers, options} = asked(model, setting, found ? found.snapped : {});
  const at = [...numbers, ...options].map(([name, x]) => `${name} = ${x}`).join(", ");
  const value = found ? [`% about ${number(found.total)} (approximate, float64 in the browser) at ${at}`] : [`% at ${at}`];
  return [
    `% cmbound: ${model.id}; needs amsmath, amssymb`,
    ...value,
    `\\[ ${left.latex} ${terms.map((x) => x[1].latex).join(" + ")} \\]`,
  ].join("\n");
}

// Six significant digits, to the nearest.
function number(x) {
  if (x !== 0 && (absolute(x) < 1e-4 || absolute(x) >= 1e7)) {
    const [digits, power] = x.toExponential(5).split("e");
    return `${digits.replace(/\.?0+$/, "")}e${Number(power)}`;
  }
  return String(Number(x.toPrecision(6)));
}
