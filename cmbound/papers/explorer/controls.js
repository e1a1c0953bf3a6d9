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
const BEGINNING = {A: started(FIRST), B: null, over: USUAL_AXIS.name};
let [state, strange] = fromHash(MODEL, location.hash, BEGINNING); // and what the link has that the page has not

function changed() {
  strange = [];
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

let ranges = {}; // by name: the ends of a slider, around the first number that is not put there by the slider itself
function rangeOf(row) {
  const values = SIDES.map((x) => (state[x] ? valueAt(state[x], row) : null)).filter((x) => x > 0);
  if (!ranges[row.name]) {
    const middle = values[0] || (row.name === "N" || row.name === "n_atoms" ? 100 : 1);
    const least = Math.max(row.integer ? 1 : 1e-300, row.low),
      most = row.high === null ? 1e300 : row.high * 0.999,
      inOu = ["T", "t", "t_hat"].includes(row.name);
    ranges[row.name] = [Math.max(middle / 1e3, least), Math.min(middle * (inOu ? 20 : 1e3), most)];
  }
  const [low, high] = ranges[row.name];
  return (ranges[row.name] = [Math.min(low, ...values), Math.max(high, ...values)]);
}
// The number in a row, under that name; null where there is none of its domain.
function valueAt(setting, row) {
  try {
    return checkedNumber(row, (setting.numbers[row.name] || "").trim());
  } catch {
    return null;
  }
}
const along = ([low, high], share) => low ** (1 - share) * high ** share; // quotients may leave the float64 range
const shareOf = ([low, high], x) => (log(x) - log(low)) / (log(high) - log(low) || 1);
const fromSlider = (row, place) => {
  const x = along(rangeOf(row), place / STEPS);
  return row.integer ? String(Math.round(x)) : rounded(x, 3);
};
const toSlider = (row, value) => (value > 0 ? Math.round(STEPS * shareOf(rangeOf(row), value)) : 0);

function numberCell(row, side) {
  const cell = made("div", {class: `cell ${side}`, "data-side": side});
  let current = row; // or its noise level
  const put = (text) => {
    const {numbers} = state[side];
    if (row.alias) delete numbers[current === row ? row.alias.name : row.name]; // a link may have given both
    numbers[current.name] = text;
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
    oninput: () => {
      delete ranges[current.name];
      put(field.value);
    },
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
      x = valueAt(state[side], current),
      y = next === row ? F[MODEL.timeOf]({sigma: x}) : sqrt(expm1(2 * x));
    delete numbers[current.name];
    if (x > 0 && y > 0 && y < 1e300) numbers[next.name] = rounded(y, 9);
    current = next;
    changed();
  };
  cell.append(...(unit ? [unit] : []), slider, field);
  cell.row = () => current;
  cell.show = () => {
    const setting = state[side];
    cell.classList.toggle("idle", !setting || !takes(MODEL, setting, row));
    if (!setting) return false;
    if (row.alias && (setting.numbers[row.alias.name] || "").trim()) current = row.alias;
    else if ((setting.numbers[row.name] || "").trim()) current = row;
    const text = setting.numbers[current.name] || "",
      value = valueAt(setting, current);
    if (unit) unit.value = current.name;
    if (document.activeElement !== field || field.value.trim() !== text.trim()) field.value = text;
    slider.value = toSlider(current, value);
    cell.classList.toggle("absent", text.trim() === "");
    const wrong = text.trim() ? value === null : !row.optional && row.name !== "t_hat";
    field.setAttribute("aria-invalid", String(wrong));
    field.setAttribute("aria-label", `${current.name}, setting ${side}, ${current.domain}`);
    field.placeholder = row.optional ? "not given" : "";
    field.style.setProperty("--characters", (text || field.placeholder).length);
    slider.setAttribute("aria-label", `${current.name}, setting ${side}, logarithmic`);
    slider.setAttribute("aria-valuetext", text || "not given");
    return takes(MODEL, setting, row);
  };
  return cell;
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
function addRow(into, label, cells, named = () => {}) {
  const row = made("div", {class: "sides"}, label, ...cells);
  row.show = () => {
    row.hidden = !cells.map((x) => x.show()).some(Boolean);
    named();
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
    const label = made("span", {class: "name", title: row.domain});
    const often = !row.optional || ["N", "rho", "M"].includes(row.name);
    const cells = SIDES.map((side) => numberCell(row, side));
    addRow(often ? "needed" : "optional", label, cells, () => {
      const used = cells.filter((_, i) => state[SIDES[i]]).map((x) => x.row()),
        {math, meaning} = used.every((x) => x === used[0]) ? used[0] : row;
      label.innerHTML = `${math} <small>${meaning}</small>`;
    });
  }
  $("more").hidden = !MODEL.parameters.some((x) => x.optional && !["N", "rho", "M"].includes(x.name));
  $("start").append(...Object.keys(MODEL.starts).map((x) => option(x, x)), made("option", {value: "", hidden: true}, "as below"));
  $("start").addEventListener("change", () => {
    state.A = started($("start").value);
    ranges = {};
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
    [state, strange] = fromHash(MODEL, location.hash, BEGINNING);
    ranges = {};
    draw();
  });
}
