// What the generated functions call: Math, comparisons, and the named functions that need a series where they cancel.
const {exp, log, expm1, log1p, sqrt, atan, atan2, sin, cos, sinh, cosh, tanh} = Math;
const power = Math.pow,
  maximum = Math.max,
  minimum = Math.min,
  absolute = Math.abs;
const square = (x) => x * x,
  cube = (x) => x * x * x,
  pi = () => Math.PI,
  not_a_number = () => NaN;
const choice = (holds, x, y) => (holds ? x : y);
const and_ = (...xs) => xs.every(Boolean),
  or_ = (...xs) => xs.some(Boolean),
  not_ = (x) => !x;

function compare(sign, x, y) {
  return {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x === y, "!=": x !== y}[sign];
}

function series(coefficients, x) {
  let total = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) total = total * x + coefficients[i];
  return total;
}

const g = (h) => (h <= 0.5 ? series(SERIES.g, h) : (expm1(h) - h) / h);

const kappa_h = (h) => (h <= 0.5 ? h * sqrt(series(SERIES.kappa_h, h)) : sqrt((expm1(2 * h) - 4 * expm1(h) + 2 * h) / (2 * h)));

function rho_squared(x) {
  if (x > 1) return (expm1(x) - expm1(-x) - 2 * x) / expm1(x);
  return series(SERIES.rho_squared, x * x) * x * x * (x > 0 ? x / expm1(x) : 1);
}

const chi_squared = (x) => (x <= 0.5 ? x ** 3 * series(SERIES.chi_squared, x) : x + 2 * expm1(-x) - expm1(-2 * x) / 2);

const rho_h_squared = (x) => (x <= 1.5 ? x ** 2 * series(SERIES.rho_h_squared, x * x) : 1.5 + cosh(x) / 2 - x / tanh(x / 2));

const chi_h_squared = (x) => (x <= 1 ? x ** 3 * series(SERIES.chi_h_squared, x * x) : x - 1.5 * sinh(x) + sinh(2 * x) / 4);

function geometric_sum(x, n) {
  // 1 + x + ... + x^(n-1)
  const logarithm = log(x);
  return n === 0 ? 0 : logarithm === 0 ? n : expm1(n * logarithm) / expm1(logarithm);
}

function erf(x) {
  // Kummer's series: all of its terms have one sign
  if (absolute(x) > 6) return Math.sign(x);
  let term = x,
    total = x;
  for (let n = 1; absolute(term) > 1e-18 * absolute(total); n++) total += term *= (2 * x * x) / (2 * n + 1);
  return (2 / sqrt(Math.PI)) * exp(-x * x) * total;
}
