// From what is typed to numbers: read exactly, checked against their domains, against each other and against the assumptions.

// A setting that has no number, and why, in words; ``elsewhere``: it may have one on the command line.
class Refusal extends Error {
  constructor(text, elsewhere = false) {
    super(text);
    this.elsewhere = elsewhere;
  }
}

function refuse(text, elsewhere) {
  throw new Refusal(text, elsewhere);
}

const shown = (x) => String(+x.toPrecision(12));

// To significant digits, to the nearest or upwards, as cmbound.numbers.rounded writes it.
function rounded(x, digits = 6, up = false) {
  if (x === 0) return "0";
  const [, sign, first, rest = "", power] = x.toExponential(digits - 1).match(/^(-?)(\d)\.?(\d*)e([+-]\d+)$/);
  let whole = Number(first + rest),
    scale = Number(power) - digits + 1;
  if (up && Number(`${sign}${whole}e${scale}`) < x) whole += sign ? -1 : 1;
  const exponent = scale + String(whole).length - 1,
    text = String(whole).replace(/0+$/, "");
  const point = (n) => (text.length > n ? `${text.slice(0, n)}.${text.slice(n)}` : text.padEnd(n, "0"));
  if (exponent < -5 || exponent >= digits + 3) return `${sign}${point(1)}e${exponent}`;
  return sign + (exponent < 0 ? `0.${"0".repeat(-exponent - 1)}${text}` : point(exponent + 1));
}
const upper = (x, digits) => rounded(x, digits, true); // what is a bound

// --- numbers ----------------------------------------------------------------------------------------------------------

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(\/\d+(\.\d+)?(e[+-]?\d+)?)?$/i;

function readNumber(name, text) {
  if (!NUMBER.test(text)) refuse(`${name} is "${text}", which is not a number (write 0.1, 1e-3 or 1/3)`);
  if (text.length > 1000) refuse(`${name} has ${text.length} characters; at most 1000 are read`);
  const [top, bottom] = text.split("/");
  if (bottom !== undefined && Number(bottom) === 0) refuse(`${name} is ${text}; the denominator must not be zero`);
  const value = bottom === undefined ? Number(top) : Number(top) / Number(bottom);
  const vanishes = value === 0 && !/[1-9]/.test(top.replace(/e.*/i, "")); // and is not just too small for float64
  if (!vanishes && !(absolute(value) >= 1e-300 && absolute(value) <= 1e300))
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
    const power = Number(exponent) - decimals.length,
      whole = BigInt(digits + decimals || "0");
    return power < 0 ? [whole, 10n ** BigInt(-power)] : [whole * 10n ** BigInt(power), 1n];
  });
  return parts.length === 1 ? parts[0] : [parts[0][0] * parts[1][1], parts[0][1] * parts[1][0]];
}
const TIMES = ["delta", "T", "t", "h"];
const minus = ([p, q], [r, s]) => [p * s - r * q, q * s];
const times = ([p, q], n) => [p * BigInt(n), q];
const isBelow = ([p, q], [r, s]) => p * s < r * q;
const floorOf = ([p, q], [r, s]) => {
  // of the quotient
  const [top, bottom] = [p * s, q * r],
    whole = top / bottom;
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
  const values = {},
    exactly = {},
    levels = {}, // by the name of a time: the noise level it was given as, [name, number]
    missing = [];
  for (const row of model.parameters) {
    if (!takes(model, setting, row)) continue;
    const found = givenIn(setting, row);
    if (!found) {
      const needed = !row.optional || (["h", "N", "M"].includes(row.name) && model.profiled);
      if (needed && !(row.name === "t_hat" && values.k === 1)) missing.push(row);
    } else if (found[1].includes(",")) {
      const remedy = row.perStep ? filled(model.says.lists, {name: found[0], list: found[1].replace(/\s/g, "")}) : "the page has no lists";
      refuse(`${found[0]} is "${found[1]}", which is not one number (write 0.1, 1e-3 or 1/3); ${remedy}`, row.perStep);
    } else if (found[0] === row.name) {
      values[row.name] = checkedNumber(row, found[1]);
      if (TIMES.includes(row.name)) exactly[row.name] = fraction(found[1]);
    } else {
      const sigma = checkedNumber(row.alias, found[1]);
      if (!(sigma >= 1e-150 && sigma <= 1e150)) refuse(`${found[0]} must lie between 1e-150 and 1e150, got ${found[1]}`);
      values[row.name] = F[model.timeOf]({sigma});
      levels[row.name] = [found[0], sigma];
      exactly[row.name] = fraction(String(values[row.name]));
    }
  }
  const named = new Set(model.parameters.map((x) => x.name));
  for (const [one, other] of [
    ["t", "T"],
    ["T", "t"],
  ]) {
    if (named.has(one) && !(one in values) && other in values) {
      [values[one], exactly[one]] = [values[other], exactly[other]];
      const at = missing.findIndex((x) => x.name === one);
      if (at >= 0) missing.splice(at, 1);
    }
  }
  if (missing.length)
    refuse(`${model.id} needs ${missing.map((x) => x.name + (x.alias ? ` (or ${x.alias.name})` : "")).join(", ")}`);
  if (named.has("tau") && !model.profiled && !("tau" in values)) values.tau = 0;
  if (model.profiled && "delta" in values) values.t_star = setting.options.t_star === "delta" ? values.delta : 0;
  return {values, exactly, levels};
}

// Numbers as text, each beside the noise level it was given as; with so many digits that they violate what they violate.
function readable(names, values, levels, violated = () => true) {
  let digits = 6;
  while (digits < 17 && !violated(Object.fromEntries(names.map((x) => [x, Number(rounded(values[x], digits))])))) digits++;
  const text = (name) => `${name} = ${rounded(values[name], digits)}`;
  return names.map((x) => (x in levels ? `${levels[x][0]} = ${rounded(levels[x][1], digits)} (${text(x)})` : text(x))).join(", ");
}

// Constants that cannot belong to one data law (cmbound.evaluation.law, which has the reasons).
function checkLaw(v, clock) {
  const wrong = (text, names) => {
    const got = names.filter((x) => x in v).map((x) => `${x} = ${shown(v[x])}`);
    refuse(`no data law has these constants: ${text}; got ${got.join(", ")}`);
  };
  const has = (...names) => names.every((x) => x in v),
    tau = v.tau || 0,
    above = 1 + 1e-12,
    printed = 1 + 1e-4;
  const noise = has("d") ? sqrt(v.d) * tau : tau > 0 ? Infinity : 0;
  const p = has("n_atoms") ? 1 / v.n_atoms : 0,
    w = p <= 0.5 ? 1 : 4 * p * (1 - p);
  if (has("sd2", "m2") && v.sd2 > v.m2 * above) wrong("sd2 must be at most m2", ["sd2", "m2"]);
  if (has("sd2", "d") && noise > v.sd2 * above) wrong("sd2 must be at least tau d^(1/2)", ["sd2", "tau", "d"]);
  if (has("sd2") && (has("R") || has("n_atoms"))) {
    const spread = w > 0 ? sqrt(w) * (v.R ?? Infinity) : 0,
      exact = tau === 0 && (w === 0 || w === 1);
    const bound = w === 1 ? "R" : "(4 p (1 - p))^(1/2) R, p the largest weight";
    const most = `sd2 must be at most ${bound}${tau > 0 ? ", or (R^2 + d tau^2)^(1/2) where tau > 0" : ""}`;
    const point = `one point has no spread, sd2 must be 0${has("tau") ? " or tau d^(1/2)" : ""}`;
    if (v.sd2 > Math.hypot(spread, noise) * (exact ? above : printed))
      wrong(w > 0 ? most : point, ["sd2", "R", "tau", "n_atoms"]);
  }
  if (has("diameter", "R") && v.diameter > 2 * v.R * printed) wrong("diameter must be at most 2 R", ["diameter", "R"]);
  if (has("diameter", "n_atoms") && v.n_atoms < 2 && v.diameter > 0)
    wrong("one point has no two points, diameter must be 0", ["diameter", "n_atoms"]);
  if (has("sd2", "diameter")) {
    const k = minimum(minimum(v.d ?? Infinity, v.d_eff ?? Infinity), (v.n_atoms ?? Infinity) - 1);
    if (v.sd2 > Math.hypot(sqrt(0.5 - 0.5 / (k + 1)) * v.diameter, noise) * printed)
      wrong("sd2 must be at most (j diameter^2 + d tau^2)^(1/2), j = k/(2 (k + 1)) in k dimensions", [
        "sd2",
        "diameter",
        "tau",
        "d",
        "d_eff",
        "n_atoms",
      ]);
  }
  if (has("d_eff", "d")) {
    if (v.d_eff > v.d) wrong("d_eff must be at most d", ["d_eff", "d"]);
    if (tau > 0 && v.d > v.d_eff) wrong("data with a Gaussian part (tau > 0) have d_eff = d", ["d_eff", "d", "tau"]);
  }
  if (has("d_eff", "n_atoms") && tau === 0 && v.d_eff > maximum(v.n_atoms - 1, 1))
    wrong("d_eff must be at most n_atoms - 1 (and 1 for one point)", ["d_eff", "n_atoms"]);
  for (const [name, fewest] of [
    ["L_s", 1],
    ["L_os", 2],
  ])
    if (has(name, "n_atoms") && v.n_atoms >= fewest && tau === 0 && !v.t_star)
      wrong(`the score of ${fewest === 1 ? "finitely many" : "several"} points has no ${name} from t_star = 0 on`, [
        name,
        "n_atoms",
        "tau",
        "t_star",
      ]);
  if (!has("L_s")) return;
  const start = v.t_star || 0,
    decay = exp(-2 * start),
    rest = -expm1(-2 * start),
    L = clock === "ve" ? v.L_s / decay : v.L_s;
  if (has("sd2", "d") && 1 > L * ((decay * v.sd2 ** 2) / v.d + rest) * above)
    wrong("a score that is L_s-Lipschitz from t_star on needs c^2 sd2^2 + s^2 d >= d/L_s there", ["L_s", "sd2", "d", "t_star"]);
  const flat = has("d_eff", "d") && v.d_eff < v.d,
    bounded = has("R") || has("n_atoms");
  const least = flat ? rest : tau ** 2 * decay + rest;
  if (((bounded && least > 0) || flat) && 1 > L * least * above)
    wrong(`for data in ${bounded ? "a ball" : "a subspace"} L_s must be at least 1/(tau^2 c^2 + s^2) at t_star`, [
      "L_s",
      "R",
      "n_atoms",
      "d_eff",
      "d",
      "tau",
      "t_star",
    ]);
}

// Whether an assumption can be checked, and has to be.
const looksAt = (x, values, setting) =>
  x.names && !(setting.options.grid && x.names.includes("h")) && x.names.every((name) => name in values);

function checkAssumptions(model, values, levels, setting) {
  for (const x of model.assumptions) {
    if (!looksAt(x, values, setting)) continue;
    const violated = (v) => {
      const [high, low] = [F[x.high](v), F[x.low](v)];
      return !(x.strict ? high > low : !(high < low - 4 * Number.EPSILON * absolute(high)));
    };
    if (!violated(values)) continue;
    const inLevels = x.sides.every((name) => name in levels);
    const text = inLevels ? x.text.replace(/\w+/g, (name) => (name in levels ? levels[name][0] : name)) : x.text;
    refuse(`assumption '${x.id}' of ${model.id} is violated: ${text}; got ${readable(x.names, values, levels, violated)}`);
  }
}
