// The state of the page, and a row of controls for every choice and every parameter. Every change draws again.

const $ = (id) => document.getElementById(id);
const SIDES = ["A", "B"];
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
  const {numbers, options} = MODEL.starts[name],
    usual = Object.entries(MODEL.choices).map(([x, values]) => [x, values[0]]);
  return {numbers: {...numbers}, options: {...Object.fromEntries(usual), ...options}};
}

const FIRST = Object.keys(MODEL.starts)[0];
const axes = () =>
  MODEL.parameters.filter((row) => SIDES.some((x) => state[x] && takes(MODEL, state[x], row) && nameIn(state[x], row)));
const nameIn = (setting, row) => [row.name, row.alias && row.alias.name].find((x) => x && (setting.numbers[x] || "").trim());
const USUAL_AXIS = MODEL.parameters.find((x) => x.name === "h") || MODEL.parameters[0];
let state = {A: started(FIRST), B: null, over: USUAL_AXIS.name};
state = fromHash(MODEL, location.hash, state);

function changed() {
  const hash = toHash(state);
  try {
    history.replaceState(null, "", hash); // a page inside a notebook has no address
  } catch {
    /* the link is shown all the same */
  }
  draw();
}

// What a choice needs besides: a teacher in the noise level a grid, a grid its number of steps.
function completed(setting) {
  const {options, numbers} = setting;
  if (MODEL.profiled && MODEL.teachers[options.teacher].needsGrid && options.grid === "") options.grid = "geometric";
  for (const [name, text] of [
    ["N", "100"],
    ["M", "1"],
    ["h", "1e-2"],
  ]) {
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
    const most = row.high === null ? Infinity : row.high * 0.999,
      inOu = ["T", "t", "t_hat"].includes(row.name);
    ranges[row.name] = [Math.max(middle / 1e3, least), Math.min(middle * (inOu ? 20 : 1e3), most)];
  }
  if (value > 0) ranges[row.name] = [Math.min(ranges[row.name][0], value), Math.max(ranges[row.name][1], value)];
  return ranges[row.name];
}
const fromSlider = (row, place) => {
  const [low, high] = rangeOf(row, NaN),
    x = low * (high / low) ** (place / STEPS);
  return row.integer ? String(Math.round(x)) : number(Number(x.toPrecision(3)));
};
const toSlider = (row, value) => {
  const [low, high] = rangeOf(row, value);
  return value > 0 ? Math.round((STEPS * log(value / low)) / log(high / low)) : 0;
};

function numberCell(row, side) {
  const cell = made("div", {class: `cell ${side}`, "data-side": side});
  let current = row; // or its noise level
  const put = (text) => {
    state[side].numbers[current.name] = text;
    changed();
  };
  const slider = made("input", {
    type: "range",
    min: 0,
    max: STEPS,
    step: 1,
    oninput: () => put(fromSlider(current, Number(slider.value))),
  });
  const field = made("input", {
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    spellcheck: "false",
    oninput: () => put(field.value),
  });
  const unit =
    row.alias &&
    made("select", {
      class: "unit",
      "aria-label": `${row.name} as time or noise level, setting ${side}`,
      onchange: () => swap(unit.value === row.name ? row : row.alias),
    });
  if (unit) unit.append(option(row.name, row.name), option(row.alias.name, row.alias.name));
  const swap = (next) => {
    const {numbers} = state[side],
      x = Number(numbers[current.name]);
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
    const text = setting.numbers[current.name] || "",
      value = text.includes("/") ? quotient(text) : Number(text);
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
const quotient = (text) => {
  const [top, bottom] = text.split("/").map(Number);
  return top / bottom;
};
function isWrong(row, text, optional) {
  if (!text.trim()) return !optional && !(row.name === "t_hat");
  try {
    checkedNumber(row, text.trim());
    return false;
  } catch {
    return true;
  }
}

function choiceCell(name, values, side) {
  const select = made(
    "select",
    {
      "aria-label": `${name}, setting ${side}`,
      onchange: () => {
        state[side].options[name] = select.value;
        completed(state[side]);
        changed();
      },
    },
    ...values.map((x) => option(x, shownChoice(name, x))),
  );
  const cell = made("div", {class: `cell ${side}`, "data-side": side}, select);
  cell.show = () => {
    if (!state[side]) return true;
    const {options} = state[side];
    select.value = options[name];
    for (const x of select.options) x.disabled = !goesWith(name, x.value, options.teacher);
    return true;
  };
  return cell;
}
function goesWith(name, value, teacher) {
  if (name === "grid") return value !== "" || !MODEL.teachers[teacher].needsGrid;
  return name !== "profile" || value === "auto" || teacher in MODEL.profiles.find((x) => x.name === value).needs;
}
const CHOICE_WORDS = {
  profile: "regularity profile",
  teacher: "teacher (one-step solver)",
  grid: "grid",
  to: "distance to",
  start: "start law",
  clock: "clock of the constants",
  t_star: "L_s holds from (t_star)",
};
const GRID_WORDS = {"": "closed form in h", uniform: "uniform, N steps", "uniform-h": "uniform, steps up to h"};
const shownChoice = (name, x) => (name === "grid" ? GRID_WORDS[x] || x : x);

const rows = [];
function addRow(into, label, cells) {
  const row = made("div", {class: "sides"}, label, ...cells);
  row.show = () => {
    row.hidden = !cells.map((x) => x.show()).some(Boolean);
  };
  rows.push(row);
  $(into).append(row);
}

function buildControls() {
  for (const [name, values] of Object.entries(MODEL.choices))
    addRow(
      "choices",
      made("span", {class: "name"}, CHOICE_WORDS[name]),
      SIDES.map((side) => choiceCell(name, values, side)),
    );
  for (const row of MODEL.parameters) {
    const label = made("span", {class: "name", title: row.domain, html: `${row.math} <small>${row.meaning}</small>`});
    const often = !row.optional || ["N", "rho", "M"].includes(row.name);
    addRow(
      often ? "needed" : "optional",
      label,
      SIDES.map((side) => numberCell(row, side)),
    );
  }
  $("more").hidden = !MODEL.parameters.some((x) => x.optional && !["N", "rho", "M"].includes(x.name));
  $("start").append(...Object.keys(MODEL.starts).map((x) => option(x, x)));
  $("start").addEventListener("change", () => {
    state.A = started($("start").value);
    changed();
  });
  $("second").addEventListener("click", () => {
    state.B = state.B ? null : structuredClone(state.A);
    changed();
  });
  $("over").addEventListener("change", () => {
    state.over = $("over").value;
    changed();
  });
  $("whose").addEventListener("change", () => draw());
  const sign = (x) => `<li>${x.math}${x.meaning ? `: ${x.meaning}` : ""}</li>`;
  $("signs").innerHTML = `<ul>${MODEL.signs.map(sign).join("")}</ul>`;
  addEventListener("hashchange", () => {
    state = fromHash(MODEL, location.hash, state);
    draw();
  });
}
