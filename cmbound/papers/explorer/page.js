// The page: rows of controls, the value with its terms, the plot, and what can be copied. It computes with engine.js and knows
// texts.js; the state is one object, and every change draws again.

const $ = (id) => document.getElementById(id);
const SIDES = ["A", "B"], POINTS = 48, SLICE = 20; // ms of computing before the page may answer
const STEPS = 200; // of a slider
const DASHES = ["", "7 3", "7 3 2 3", "2 3", "10 3 2 3 2 3", "1 4"];

function made(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "html") node.innerHTML = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}
const option = (value, text, chosen) => made("option", {value, selected: chosen}, text);
const words = (name) => name.replace(/_/g, " ");

// --- state --------------------------------------------------------------------------------------------------------------

function started(name) {
  const {numbers, options} = MODEL.starts[name], usual = Object.entries(MODEL.choices).map(([x, values]) => [x, values[0]]);
  return {numbers: {...numbers}, options: {...Object.fromEntries(usual), ...options}};
}

const FIRST = Object.keys(MODEL.starts)[0];
const axes = () => MODEL.parameters.filter((row) => SIDES.some((x) => state[x] && takes(MODEL, state[x], row) && nameIn(state[x], row)));
const nameIn = (setting, row) => [row.name, row.alias && row.alias.name].find((x) => x && (setting.numbers[x] || "").trim());
const USUAL_AXIS = MODEL.parameters.find((x) => x.name === "h") || MODEL.parameters[0];
let state = {A: started(FIRST), B: null, over: USUAL_AXIS.name};
state = fromHash(MODEL, location.hash, state);

function changed() {
  const hash = toHash(state);
  try {
    history.replaceState(null, "", hash); // a page inside a notebook has no address
  } catch { /* the link is shown all the same */ }
  draw();
}

// What a choice needs besides: a teacher in the noise level a grid, a grid its number of steps.
function completed(setting) {
  const {options, numbers} = setting;
  if (MODEL.profiled && MODEL.teachers[options.teacher].needsGrid && options.grid === "") options.grid = "geometric";
  for (const [name, text] of [["N", "100"], ["M", "1"], ["h", "1e-2"]]) {
    const row = MODEL.parameters.find((x) => x.name === name);
    if (row && takes(MODEL, setting, row) && !numbers[name]) numbers[name] = text;
  }
}

// --- controls -----------------------------------------------------------------------------------------------------------

const ranges = {}; // by name: the ends of a slider
function rangeOf(row, value) {
  if (!ranges[row.name]) {
    const middle = value > 0 ? value : row.name === "N" || row.name === "n_atoms" ? 100 : 1;
    const least = row.integer ? Math.max(1, row.low) : row.low > 0 ? row.low : 0;
    const most = row.high === null ? Infinity : row.high * 0.999, inOu = ["T", "t", "t_hat"].includes(row.name);
    ranges[row.name] = [Math.max(middle / 1e3, least), Math.min(middle * (inOu ? 20 : 1e3), most)];
  }
  if (value > 0) ranges[row.name] = [Math.min(ranges[row.name][0], value), Math.max(ranges[row.name][1], value)];
  return ranges[row.name];
}
const fromSlider = (row, place) => {
  const [low, high] = rangeOf(row, NaN), x = low * (high / low) ** (place / STEPS);
  return row.integer ? String(Math.round(x)) : number(Number(x.toPrecision(3)));
};
const toSlider = (row, value) => {
  const [low, high] = rangeOf(row, value);
  return value > 0 ? Math.round((STEPS * log(value / low)) / log(high / low)) : 0;
};

function numberCell(row, side) {
  const cell = made("div", {class: `cell ${side}`, "data-side": side});
  let current = row; // or its noise level
  const put = (text) => { state[side].numbers[current.name] = text; changed(); };
  const slider = made("input", {type: "range", min: 0, max: STEPS, step: 1, oninput: () => put(fromSlider(current, Number(slider.value)))});
  const field = made("input", {type: "text", inputmode: "decimal", autocomplete: "off", spellcheck: "false", oninput: () => put(field.value)});
  const unit = row.alias && made("select", {class: "unit", "aria-label": `${row.name} as time or noise level, setting ${side}`,
    onchange: () => swap(unit.value === row.name ? row : row.alias)});
  if (unit) unit.append(option(row.name, row.name), option(row.alias.name, row.alias.name));
  const swap = (next) => {
    const {numbers} = state[side], x = Number(numbers[current.name]);
    delete numbers[current.name];
    if (x > 0) numbers[next.name] = number(next === row ? F[MODEL.timeOf]({sigma: x}) : sqrt(expm1(2 * x)));
    current = next;
    changed();
  };
  cell.append(...(unit ? [unit] : []), slider, field);
  cell.show = () => {
    const setting = state[side];
    cell.classList.toggle("idle", !setting || !takes(MODEL, setting, row));
    if (!setting) return false;
    if (row.alias && (setting.numbers[row.alias.name] || "").trim()) current = row.alias;
    else if ((setting.numbers[row.name] || "").trim()) current = row;
    const text = setting.numbers[current.name] || "", value = text.includes("/") ? eval2(text) : Number(text);
    if (unit) unit.value = current.name;
    if (document.activeElement !== field || field.value.trim() !== text.trim()) field.value = text;
    slider.value = toSlider(current, value);
    cell.classList.toggle("absent", text.trim() === "");
    field.setAttribute("aria-invalid", String(isWrong(current, text, row.optional)));
    field.setAttribute("aria-label", `${current.name}, setting ${side}, ${current.domain}`);
    field.placeholder = row.optional ? "not given" : "";
    slider.setAttribute("aria-label", `${current.name}, setting ${side}, logarithmic`);
    slider.setAttribute("aria-valuetext", text || "not given");
    return takes(MODEL, setting, row);
  };
  return cell;
}
const eval2 = (text) => { const [top, bottom] = text.split("/").map(Number); return top / bottom; };
function isWrong(row, text, optional) {
  if (!text.trim()) return !optional && !(row.name === "t_hat");
  try { checkedNumber(row, text.trim()); return false; } catch { return true; }
}

function choiceCell(name, values, side) {
  const select = made("select", {"aria-label": `${name}, setting ${side}`, onchange: () => {
    state[side].options[name] = select.value;
    completed(state[side]);
    changed();
  }}, ...values.map((x) => option(x, shownChoice(name, x))));
  const cell = made("div", {class: `cell ${side}`, "data-side": side}, select);
  cell.show = () => { if (state[side]) select.value = state[side].options[name]; return true; };
  return cell;
}
const CHOICE_WORDS = {profile: "regularity profile", teacher: "teacher (one-step solver)", grid: "grid", to: "distance to",
  start: "start law", clock: "clock of the constants", t_star: "L_s holds from (t_star)"};
const GRID_WORDS = {"": "any, steps up to h (closed form)", uniform: "uniform, N steps", "uniform-h": "uniform, steps up to h"};
const shownChoice = (name, x) => (name === "grid" ? GRID_WORDS[x] || x : x);

const rows = [];
function addRow(into, label, cells) {
  const row = made("div", {class: "sides"}, label, ...cells);
  row.show = () => { row.hidden = !cells.map((x) => x.show()).some(Boolean); };
  rows.push(row);
  $(into).append(row);
}

function buildControls() {
  for (const [name, values] of Object.entries(MODEL.choices))
    addRow("choices", made("span", {class: "name"}, CHOICE_WORDS[name]), SIDES.map((side) => choiceCell(name, values, side)));
  for (const row of MODEL.parameters) {
    const label = made("span", {class: "name", title: row.domain, html: `${row.math} <small>${row.meaning}</small>`});
    const often = !row.optional || ["N", "rho", "M"].includes(row.name);
    addRow(often ? "needed" : "optional", label, SIDES.map((side) => numberCell(row, side)));
  }
  $("more").hidden = !MODEL.parameters.some((x) => x.optional && !["N", "rho", "M"].includes(x.name));
  $("start").append(...Object.keys(MODEL.starts).map((x) => option(x, x)));
  $("start").addEventListener("change", () => { state.A = started($("start").value); changed(); });
  $("second").addEventListener("click", () => { state.B = state.B ? null : structuredClone(state.A); changed(); });
  $("over").addEventListener("change", () => { state.over = $("over").value; changed(); });
  $("whose").addEventListener("change", () => draw());
  const sign = (x) => `<li>${x.math}${x.meaning ? `: ${x.meaning}` : ""}</li>`;
  $("signs").innerHTML = `<ul>${MODEL.signs.map(sign).join("")}</ul>`;
  addEventListener("hashchange", () => { state = fromHash(MODEL, location.hash, state); draw(); });
}

// --- results ------------------------------------------------------------------------------------------------------------

function tried(setting) { // what evaluate gives, or {refused}
  try {
    return evaluate(MODEL, setting);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {refused: error.message};
  }
}
const looks = (name, i) => (name in MODEL.looks ? MODEL.looks[name] : i) % 6;
const largestOf = (found) => Object.entries(found.terms).reduce((x, y) => (y[1] > x[1] ? y : x), ["", 0])[0];
const percent = (x, total) => `${(total > 0 ? (100 * x) / total : 0).toFixed(1)} %`;

function draw() {
  document.body.classList.toggle("compared", state.B !== null);
  $("second").setAttribute("aria-pressed", String(state.B !== null));
  $("second").textContent = state.B ? "drop the second setting" : "compare with a second setting";
  for (const row of rows) row.show();
  const names = axes();
  if (!names.some((x) => x.name === state.over)) state.over = (names[0] || USUAL_AXIS).name;
  $("over").replaceChildren(...names.map((x) => option(x.name, x.name, x.name === state.over)));
  $("whose").replaceChildren(...SIDES.filter((x) => state[x]).map((x) => option(x, x, x === $("whose").value)));
  const found = SIDES.filter((x) => state[x]).map((side) => [side, tried(state[side])]);
  drawValues(found);
  drawBars(found.filter((x) => !x[1].refused));
  drawFormula(state.A, found[0][1]);
  drawRests(found[0][1]);
  drawTexts(Object.fromEntries(found));
  drawCurves();
}

function drawValues(found) {
  const shown = found.map(([side, x]) => {
    const name = state.B ? `${side}: ` : "";
    if (x.refused) return made("p", {class: "wrong"}, `${name}${x.refused}`);
    const sign = MODEL.kind === "order" ? "≲" : MODEL.kind === "exact" ? "=" : "≤", vacuous = x.trivial !== null && x.total >= x.trivial;
    const value = made("p", {class: `value${vacuous ? " vacuous" : ""}`}, `${name}${sign} `, made("b", {}, number(x.total)),
      made("span", {class: "note"}, "  approximate (float64 in the browser)"));
    const moved = Object.entries(x.snapped).map(([y, t]) => made("span", {class: "note"}, `${y} is put at the nearest node of the grid, ${number(t)}. `));
    if (moved.length) value.append(made("br"), ...moved);
    if (vacuous) value.append(made("br"), `vacuous: ${MODEL.metric === "TV" ? "total variation never exceeds" : "always answering 0 achieves"} ${number(x.trivial)}; ` +
      `the dominating term is ${words(largestOf(x))} (${percent(x.terms[largestOf(x)], x.total)})`);
    return value;
  });
  const notes = MODEL.notes.map((x) => made("p", {class: "note"}, x.replace("{C}", state.A.numbers.C || "?")));
  $("values").replaceChildren(...shown);
  $("notes").replaceChildren(...notes);
}

const SVG = "http://www.w3.org/2000/svg";
function drawn(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function drawBars(found) { // one stacked bar for each setting, and the table of its terms
  $("bars").replaceChildren();
  if (!found.length) return;
  const width = 640, left = state.B ? 24 : 4, right = width - 12, high = 34, totals = 1.3 * Math.max(...found.map(([, x]) => x.total), 1e-300);
  const near = found.map(([, x]) => x.trivial).filter((x) => x !== null && x < 3 * totals), most = Math.max(totals, ...near.map((x) => 1.1 * x));
  const at = (x) => left + ((right - left) * x) / most, height = found.length * high + 26;
  const picture = drawn("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "the terms as stacked bars"});
  found.forEach(([side, x], i) => {
    const y = i * high + 4;
    if (x.trivial !== null && x.trivial < most) {
      picture.append(drawn("rect", {class: "shade", x: at(x.trivial), y: y - 4, width: right - at(x.trivial), height: high}));
      if (i === 0) picture.append(drawn("text", {x: right - 4, y: y + 17, "text-anchor": "end"}, "vacuous"));
    }
    if (state.B) picture.append(drawn("text", {x: 4, y: y + 17}, side));
    let sum = 0;
    Object.entries(x.terms).forEach(([name, value], n) => {
      const bar = drawn("rect", {x: at(sum), y, width: at(sum + value) - at(sum), height: high - 10, fill: `var(--t${looks(name, n)})`});
      bar.append(drawn("title", {}, `${words(name)}: ${number(value)}`));
      picture.append(bar);
      sum += value;
    });
  });
  picture.append(drawn("path", {class: "axis", d: `M${left} ${found.length * high}H${right}`}));
  for (const x of linearTicks(most)) picture.append(drawn("text", {x: at(x), y: found.length * high + 14, "text-anchor": x === 0 ? "start" : "middle"}, number(x)));
  $("bars").append(picture, termsTable(found));
}

function linearTicks(most) {
  const unit = 10 ** Math.floor(Math.log10(most)), step = [0.25, 0.5, 1, 2].map((x) => x * unit).find((x) => most / x <= 4.5) || unit * 2.5;
  return Array.from({length: Math.floor(most / step) + 1}, (_, i) => i * step);
}

function termsTable(found) {
  const names = [...new Set(found.flatMap(([, x]) => Object.keys(x.terms)))];
  const head = made("tr", {}, made("th", {}, "term"), ...found.flatMap(([side]) => [made("th", {}, state.B ? side : "bound"), made("th", {}, "share")]));
  const body = names.map((name, i) => made("tr", {}, made("td", {}, made("span", {class: "swatch", style: `background:var(--t${looks(name, i)})`}), words(name)),
    ...found.flatMap(([, x]) => (name in x.terms ? [number(x.terms[name]), percent(x.terms[name], x.total)] : ["", ""]).map((y) => made("td", {}, y)))));
  const last = made("tr", {}, made("td", {}, made("b", {}, "total")), ...found.flatMap(([, x]) => [made("td", {}, made("b", {}, number(x.total))), made("td", {})]));
  return made("div", {class: "wide"}, made("table", {}, made("thead", {}, head), made("tbody", {}, ...body, last)));
}

function drawFormula(setting, found) {
  const {left, terms} = formulaOf(MODEL, setting), largest = found.refused ? null : largestOf(found);
  const parts = terms.map(([name, text], i) => {
    const share = found.refused ? "" : ` ${percent(found.terms[name], found.total)}`;
    const caption = `${words(name)}${share}${name === largest ? ", dominating" : ""}`;
    const swatch = `<span class="swatch" style="background:var(--t${looks(name, i)})"></span>`;
    return made("span", {class: `term${name === largest ? " largest" : ""}`, html: `<span>${i ? "+ " : ""}${text.math}</span><small>${swatch}${caption}</small>`});
  });
  $("formula").replaceChildren(made("span", {html: left.math}), ...parts);
}

function drawRests(found) {
  const list = (items) => made("ul", {}, ...items.map((x) => made("li", {html: x})));
  const parts = [list(MODEL.assumptions.map((x) => `[${x.names ? "checked" : "assumed"}] ${x.id}: ${x.html}`))];
  if (!found.refused && found.paths.length) {
    const used = new Set(found.paths.flatMap((x) => x.path.map((y) => y.profile)));
    const stretches = found.paths.flatMap(({end, path}) => joined(path).map((x) => `${x.profile}, from ${number(x.from)} to ${number(x.to)}` + (found.paths.length > 1 ? ` (map error at ${end})` : "")));
    parts.unshift(made("p", {}, "The local errors of the teacher are bounded by these profiles, on these stretches of time:"), list(stretches));
    parts.push(list(MODEL.profiles.filter((x) => used.has(x.name)).flatMap((x) => x.assumptions.map((y) => `[assumed] ${y.id}: ${y.html}`))));
  }
  $("rests").replaceChildren(...parts);
}
function joined(path) { // neighbours of one profile are one
  const found = [];
  for (const x of path) {
    const last = found[found.length - 1];
    if (last && last.profile === x.profile && last.to === x.from) last.to = x.to;
    else found.push({...x});
  }
  return found;
}

function drawTexts(found) {
  const side = state[$("whose").value] ? $("whose").value : "A", x = found[side].refused ? null : found[side], snapped = x ? x.snapped : {};
  const shown = [["link", "Link", location.href.replace(/#.*/, "") + toHash(state)]];
  for (const [key, title, make] of [["command", "Command line", asCommand], ["python", "Python", asPython]])
    shown.push([key, title, attempt(() => make(MODEL, state[side], snapped))]);
  shown.push(["latex", "LaTeX", attempt(() => asLatex(MODEL, state[side], x))]);
  $("texts").replaceChildren(...shown.flatMap(([key, title, text]) => {
    const pre = made("pre", {id: `text-${key}`, tabindex: "0"}, text);
    const button = made("button", {type: "button", id: `copy-${key}`, onclick: () => copy(pre, button)}, "copy");
    return [made("div", {class: "taken"}, made("h3", {}, title), button), pre];
  }));
}
const attempt = (make) => { try { return make(); } catch (error) { if (error instanceof Refusal) return error.message; throw error; } };

async function copy(pre, button) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch { // a page without that right: by the selection
    getSelection().selectAllChildren(pre);
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => { button.textContent = "copy"; }, 1500);
}

// --- the plot -----------------------------------------------------------------------------------------------------------

let curves = 0; // which drawing is the latest
function drawCurves() {
  const number_ = ++curves, row = MODEL.parameters.find((x) => x.name === state.over);
  const name = nameIn(state.A, row) || row.name, current = name === row.name ? row : row.alias;
  const now = {A: valueAt(state.A, current), B: state.B ? valueAt(state.B, current) : null};
  const [low, high] = rangeOf(current, now.A || now.B || NaN), places = [];
  for (let stride = 16; stride >= 1; stride /= 2) for (let i = 0; i <= POINTS; i += stride) if (!places.includes(i)) places.push(i);
  const xs = (i) => { const x = low * (high / low) ** (i / POINTS); return current.integer ? Math.round(x) : x; };
  const points = {A: [], B: []}, left = [...places];
  const work = () => {
    if (number_ !== curves) return; // something changed meanwhile
    const start = performance.now();
    while (left.length && performance.now() - start < SLICE) {
      const x = xs(left.shift());
      for (const side of SIDES) if (state[side]) points[side].push({x, ...tried(at(state[side], row, current, x))});
    }
    for (const side of SIDES) points[side].sort((p, q) => p.x - q.x);
    plot(points, current, [low, high], now, left.length > 0);
    if (left.length) setTimeout(work);
  };
  work();
}
const valueAt = (setting, row) => { const text = setting.numbers[row.name] || ""; return text.includes("/") ? eval2(text) : Number(text) || null; };
function at(setting, row, current, x) {
  const numbers = {...setting.numbers, [row.name]: ""};
  if (row.alias) numbers[row.alias.name] = "";
  return {numbers: {...numbers, [current.name]: String(x)}, options: setting.options};
}

const SIZE = {width: 640, height: 340, left: 72, right: 628, top: 10, bottom: 300};
function plot(points, row, [low, high], now, busy) {
  const fine = [...points.A, ...points.B].filter((x) => !x.refused);
  if (!fine.length) {
    $("curves").replaceChildren(made("p", {class: busy ? "note" : "wrong"}, busy ? "computing" : points.A[0].refused));
    $("legend").replaceChildren();
    return;
  }
  const heights = fine.flatMap((x) => [x.total, ...Object.values(x.terms), x.trivial].filter((y) => y > 0));
  const top = Math.max(...fine.map((x) => x.total), ...fine.map((x) => x.trivial || 0), 1e-300) * 1.3;
  const bottom = Math.max(Math.min(...heights) / 1.3, top * 1e-8), {left, right} = SIZE;
  const X = (x) => left + ((right - left) * log(x / low)) / log(high / low || 2);
  const Y = (y) => SIZE.bottom - ((SIZE.bottom - SIZE.top) * log(Math.max(y, bottom) / bottom)) / log(top / bottom);
  const picture = drawn("svg", {viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": `the terms against ${row.name}`});
  const path = (list, y, attributes) => {
    let d = "", pen = "M";
    for (const p of list) {
      const value = p.refused ? 0 : y(p);
      if (value > bottom * 0.999) { d += `${pen}${X(p.x).toFixed(1)} ${Y(value).toFixed(1)}`; pen = "L"; } else pen = "M";
    }
    if (d) picture.append(drawn("path", {...attributes, d}));
  };
  const bounded = points.A.filter((x) => !x.refused && x.trivial > 0);
  if (bounded.length) {
    const edge = bounded.map((p) => `${X(p.x).toFixed(1)} ${Y(p.trivial).toFixed(1)}`).join("L");
    const [first, last] = [bounded[0], bounded[bounded.length - 1]].map((p) => X(p.x).toFixed(1));
    picture.append(drawn("path", {class: "shade", d: `M${first} ${SIZE.top}L${edge}L${last} ${SIZE.top}Z`}));
    picture.append(drawn("text", {x: left + 6, y: Math.max(SIZE.top + 14, Math.min(...bounded.map((p) => Y(p.trivial))) - 5)}, "vacuous"));
  }
  drawAxes(picture, X, Y, [low, high], [bottom, top], row);
  const names = Object.keys(fine[0].terms);
  path(points.A, (p) => p.total, {class: "total"}); // below the terms: one of them may be all of it
  names.forEach((name, i) => path(points.A, (p) => p.terms[name], {class: "line", stroke: `var(--t${looks(name, i)})`, "stroke-dasharray": DASHES[looks(name, i)]}));
  path(points.B, (p) => p.total, {class: "total other"});
  for (const x of [now.A, now.B]) if (x >= low && x <= high) picture.append(drawn("path", {class: "now", d: `M${X(x)} ${SIZE.top}V${SIZE.bottom}`}));
  const gap = points.A.find((x) => x.refused);
  $("curves").replaceChildren(picture, ...(gap ? [made("p", {class: "note"}, `no value at ${row.name} = ${number(gap.x)}: ${gap.refused}`)] : []), ...(busy ? [made("p", {class: "note"}, "computing")] : []));
  drawLegend(names);
}

function drawAxes(picture, X, Y, [low, high], [bottom, top], row) {
  const powers = (from, to) => { // ticks at powers of ten, at most about eight
    const first = Math.ceil(Math.log10(from) - 1e-9), last = Math.floor(Math.log10(to) + 1e-9), step = Math.max(1, Math.ceil((last - first) / 8));
    const found = [];
    for (let i = first; i <= last; i += step) found.push(10 ** i);
    return found.length > 1 ? found : [from, sqrt(from * to), to].map((x) => Number(x.toPrecision(2)));
  };
  for (const x of powers(low, high)) {
    picture.append(drawn("path", {class: "grid", d: `M${X(x)} ${SIZE.top}V${SIZE.bottom}`}));
    picture.append(drawn("text", {x: X(x), y: SIZE.bottom + 16, "text-anchor": "middle"}, number(x)));
  }
  for (const y of powers(bottom, top)) {
    picture.append(drawn("path", {class: "grid", d: `M${SIZE.left} ${Y(y)}H${SIZE.right}`}));
    picture.append(drawn("text", {x: SIZE.left - 6, y: Y(y) + 4, "text-anchor": "end"}, number(y)));
  }
  picture.append(drawn("path", {class: "axis", d: `M${SIZE.left} ${SIZE.top}V${SIZE.bottom}H${SIZE.right}`}));
  picture.append(drawn("text", {x: (SIZE.left + SIZE.right) / 2, y: SIZE.height - 6, "text-anchor": "middle"}, row.name));
}

function drawLegend(names) {
  const sign = (attributes) => { const x = drawn("svg", {viewBox: "0 0 44 12"}); x.append(drawn("path", {...attributes, d: "M0 6H44"})); return x; };
  const entries = names.map((name, i) => [sign({class: "line", stroke: `var(--t${looks(name, i)})`, "stroke-dasharray": DASHES[looks(name, i)]}), words(name)]);
  entries.push([sign({class: "total"}), state.B ? "total of A" : "total"], ...(state.B ? [[sign({class: "total other"}), "total of B"]] : []));
  $("legend").replaceChildren(...entries.map(([picture, text]) => made("span", {}, picture, ` ${text}`)));
}

buildControls();
draw();
