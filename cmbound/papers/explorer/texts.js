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

// The state a link asks for, and what of it the page does not have; what it does not say is as in ``usual``.
function fromHash(model, hash, usual) {
  const sides = {A: null, B: null},
    rows = new Set(model.parameters.map((x) => x.name)),
    names = new Set(model.parameters.flatMap((x) => [x.name, ...(x.alias ? [x.alias.name] : [])])),
    strange = [];
  let over = usual.over;
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const [, side, name] = key.match(/^([AB])\.(\w+)$/) || [],
      allowed = Object.hasOwn(model.choices, name) ? model.choices[name] : null,
      kind = allowed ? "options" : "numbers";
    if (key === "over" && rows.has(text)) over = text;
    else if (!(allowed ? allowed.includes(text) : names.has(name)) || (sides[side] && name in sides[side][kind]))
      strange.push(`${key}=${text}`);
    else {
      sides[side] ??= {numbers: {}, options: {}};
      sides[side][kind][name] = text;
    }
  }
  for (const found of Object.values(sides)) {
    if (found) for (const [name, values] of Object.entries(model.choices)) found.options[name] ??= values[0];
  }
  return [{...sides, A: sides.A || usual.A, over}, strange];
}

// What is to be given to the package, as [name, text]: parameters and options that are not the usual ones.
function asked(model, setting, snapped = {}) {
  const numbers = [],
    options = [];
  for (const row of model.parameters) {
    const found = takes(model, setting, row) && givenIn(setting, row);
    if (found) numbers.push(found[0] in snapped ? [found[0], String(snapped[found[0]])] : found);
  }
  for (const [name, values] of Object.entries(model.choices)) {
    const chosen = setting.options[name] === "uniform-h" ? "uniform" : setting.options[name];
    if (chosen !== values[0]) (NUMBERS_AS_OPTIONS.includes(name) ? numbers : options).push([name, chosen]);
  }
  return {numbers, options};
}

// A word of a command line, as shlex.quote writes it.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'"'"'`)}'`);

function asCommand(model, setting, snapped) {
  const {numbers, options} = asked(model, setting, snapped),
    files = model.own && !model.define.length ? ["FILE"] : model.define; // a place for the file it came from
  const words = ["cmbound", "evaluate", model.id, ...files.flatMap((x) => ["--define", x])];
  words.push(...options.flatMap(([name, x]) => [`--${name}`, x]), ...numbers.flatMap(([name, x]) => ["-p", `${name}=${x}`]));
  return words.map(quoted).join(" ");
}

function asPython(model, setting, snapped) {
  const {numbers, options} = asked(model, setting, snapped),
    given = [...numbers, ...options].map(([name, x]) => `    ${name}=${JSON.stringify(x)},`);
  const read = (file) => [`for statement in from_file(${JSON.stringify(file)}):`, "    cmbound.register(statement)"];
  const first = !model.own
    ? ["import cmbound"]
    : model.define.length
      ? ["import cmbound", "from cmbound.evaluation.defining import from_file", "", ...model.define.flatMap(read)]
      : ["import cmbound", "", "# a statement of your own: cmbound.register it first"];
  const call = `bound = cmbound.theorem(${JSON.stringify(model.id)}).evaluate(`;
  return [...first, "", call, ...given, ")"].join("\n");
}

function formulaOf(model, setting) {
  const {teacher = "exponential-integrator", to = "p_data", start = "standard", clock = "ou", grid = ""} = setting.options;
  const {left, terms, explained} = model.formulas.by[`${teacher} ${to} ${start} ${clock} ${grid !== ""}`],
    {texts, sentences} = model.formulas;
  return {
    left: texts[left],
    terms: Object.entries(terms).map(([name, i]) => [name, texts[i]]),
    explained: explained.map((i) => sentences[i]),
  };
}

function asLatex(model, setting, found) {
  // found: what evaluate gives, or null
  const {left, terms, explained} = formulaOf(model, setting),
    {numbers, options} = asked(model, setting, found ? found.snapped : {});
  const at = [...numbers, ...options].map(([name, x]) => `${name} = ${x}`).join(", ");
  return [
    `% cmbound: ${model.id}; needs amsmath, amssymb`,
    found ? `% ${upper(found.total)} (approximate, float64 in the browser) at ${at}` : `% at ${at}`,
    "\\begin{align*}",
    left.latex,
    terms
      .flatMap((x) => summandsOf(x[1].latex))
      .map((x, i) => `&{}${i ? "+" : ""} ${x}`)
      .join(" \\\\\n"),
    "\\end{align*}",
    ...(explained.length ? ["{\\sloppy", ...explained, "\\par}"] : []),
  ].join("\n");
}

// What LaTeX adds up outside of all brackets.
function summandsOf(latex) {
  const parts = [""];
  let depth = 0;
  for (const x of latex.split(/(\\left|\\right|[{}]| \+ )/)) {
    if (x === " + " && depth === 0) parts.push("");
    else parts[parts.length - 1] += x;
    depth += {"{": 1, "\\left": 1, "}": -1, "\\right": -1}[x] || 0;
  }
  return parts;
}
