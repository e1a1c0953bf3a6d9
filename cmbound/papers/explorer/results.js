// What a state gives: the value in words, bars and a table, the formula, what it rests on, and what can be copied.

function tried(setting) {
  // what evaluate gives, or {refused}
  try {
    return evaluate(MODEL, setting);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {refused: error.message, elsewhere: error.elsewhere};
  }
}
const looks = (name) => MODEL.looks[name] % DASHES.length;
const swatch = (name) => made("span", {class: "swatch", style: `background:var(--t${looks(name)})`});
const percent = (x, total) => `${(total > 0 ? (100 * x) / total : 0).toFixed(1)} %`;

function draw() {
  document.body.classList.toggle("compared", state.B !== null);
  $("second").setAttribute("aria-pressed", String(state.B !== null));
  $("second").textContent = state.B ? "drop the second setting" : "compare with a second setting";
  for (const row of rows) row.show();
  const same = (x) => JSON.stringify(started(x)) === JSON.stringify(state.A);
  $("start").value = Object.keys(MODEL.starts).find(same) || "";
  const names = axes();
  if (!names.some((x) => x.name === state.over)) state.over = (names[0] || USUAL_AXIS).name;
  const shownName = (row) => SIDES.map((x) => state[x] && nameIn(state[x], row)).find(Boolean);
  $("over").replaceChildren(...names.map((x) => option(x.name, shownName(x), x.name === state.over)));
  $("whose").replaceChildren(...SIDES.filter((x) => state[x]).map((x) => option(x, x, x === $("whose").value)));
  const found = SIDES.filter((x) => state[x]).map((side) => [side, tried(state[side])]);
  drawValues(found);
  drawBars(found.filter((x) => !x[1].refused));
  drawNotes(found);
  drawFormulas(found);
  drawRests(found);
  drawTexts(Object.fromEntries(found));
  drawCurves();
}

const RELATION = MODEL.kind === "order" ? "≲" : "≤";
function drawValues(found) {
  const shown = found.map(([side, x]) => {
    const name = state.B ? `${side}: ` : "";
    if (x.refused) return made("p", {class: "wrong"}, `${name}${x.refused}`);
    const value = made(
      "p",
      {class: `value${isVacuous(x) ? " vacuous" : ""}`},
      `${name}${RELATION} `,
      made("b", {}, upper(x.total)),
      made("span", {class: "note"}, `  ${isVacuous(x) ? "vacuous, " : ""}approximate (float64 in the browser)`),
    );
    const moved = Object.entries(x.snapped).map(([y, t]) =>
      made("span", {class: "note"}, `${y} is put at the nearest node of the grid, ${rounded(t)}. `),
    );
    if (moved.length) value.append(made("br"), ...moved);
    return value;
  });
  $("values").replaceChildren(...shown);
}

let advised = 0; // which search for what helps is the latest
function drawNotes(found) {
  const mine = ++advised;
  const helps = {},
    idle = {};
  const say = () => {
    const said = new Map(); // by sentence: the settings it is said of
    for (const [side, x] of found) {
      const more = idle[side] && idle[side].length ? [`changes nothing here: ${idle[side].join(", ")}`] : [];
      const notes = x.refused ? MODEL.standing.map((y) => filled(y, {C: "?"})) : notesOf(MODEL, state[side], x, helps[side]);
      for (const note of [...notes, ...more]) said.set(note, [...(said.get(note) || []), side]);
    }
    const line = ([text, sides]) => made("p", {class: "note"}, sides.length < found.length ? `${sides[0]}: ${text}` : text);
    const lost = strange.length ? `the link has what this page has not, left out here: ${strange.join(", ")}` : "";
    const warning = lost ? [made("p", {class: "wrong"}, lost.length > 300 ? `${lost.slice(0, 300)} ...` : lost)] : [];
    $("notes").replaceChildren(...warning, ...[...said].map(line));
  };
  say();
  const tries = found.flatMap(([side, x]) => {
    if (x.refused) return [];
    const less = [],
      left = withoutOne(MODEL, state[side]).map(([name, changed]) => () => less.push([name, tried(changed).total]));
    left.push(() => (idle[side] = less.filter((y) => y[1] === x.total).map((y) => y[0])));
    if (!isVacuous(x)) return left;
    const tell = (said) => (helps[side] = said);
    return [...searchFor(MODEL, state[side], x, (changed) => tried(changed).total, tell), ...left];
  });
  inSlices(
    tries,
    () => mine === advised,
    (left) => left || say(),
  );
}

const SVG = "http://www.w3.org/2000/svg";
function drawn(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function drawBars(found) {
  // one stacked bar for each setting, and the table of its terms
  $("bars").replaceChildren();
  if (!found.length) return;
  const width = 640,
    left = state.B ? 24 : 4,
    right = width - 12,
    high = 34,
    totals = Math.min(1.3 * Math.max(...found.map(([, x]) => x.total), 1e-300), Number.MAX_VALUE);
  const near = found.map(([, x]) => x.trivial).filter((x) => x !== null && x < 3 * totals),
    most = Math.max(totals, ...near.map((x) => 1.1 * x));
  const at = (x) => left + ((right - left) * x) / most,
    height = found.length * high + 26;
  const picture = drawn("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "the terms as stacked bars"});
  found.forEach(([side, x], i) => {
    const y = i * high + 4;
    if (x.trivial !== null && x.trivial < most) {
      picture.append(drawn("rect", {class: "shade", x: at(x.trivial), y: y - 4, width: right - at(x.trivial), height: high}));
      if (i === 0) picture.append(drawn("text", {x: right - 4, y: y + 17, "text-anchor": "end"}, "vacuous"));
    }
    if (state.B) picture.append(drawn("text", {x: 4, y: y + 17}, side));
    let sum = 0;
    Object.entries(x.terms).forEach(([name, value]) => {
      const bar = drawn("rect", {
        x: at(sum),
        y,
        width: at(sum + value) - at(sum),
        height: high - 10,
        fill: `var(--t${looks(name)})`,
      });
      bar.append(drawn("title", {}, `${words(name)}: ${upper(value)}`));
      picture.append(bar);
      sum += value;
    });
  });
  picture.append(drawn("path", {class: "axis", d: `M${left} ${found.length * high}H${right}`}));
  for (const x of linearTicks(most))
    picture.append(
      drawn("text", {x: at(x), y: found.length * high + 14, "text-anchor": x === 0 ? "start" : "middle"}, tick(x)),
    );
  $("bars").append(picture, termsTable(found));
}

function linearTicks(most) {
  const unit = 10 ** Math.floor(Math.log10(most)),
    step = [0.25, 0.5, 1, 2].map((x) => x * unit).find((x) => most / x <= 4.5) || unit * 2.5;
  return Array.from({length: Math.floor(most / step) + 1}, (_, i) => i * step);
}

function termsTable(found) {
  const names = [...new Set(found.flatMap(([, x]) => Object.keys(x.terms)))];
  const head = made(
    "tr",
    {},
    made("th", {}, "term"),
    ...found.flatMap(([side]) => [made("th", {}, state.B ? side : "bound"), made("th", {}, "share")]),
  );
  const body = names.map((name) =>
    made(
      "tr",
      {},
      made("td", {}, swatch(name), words(name)),
      ...found.flatMap(([, x]) =>
        (name in x.terms ? [upper(x.terms[name]), percent(x.terms[name], x.total)] : ["", ""]).map((y) => made("td", {}, y)),
      ),
    ),
  );
  const last = made(
    "tr",
    {},
    made("td", {}, made("b", {}, "total")),
    ...found.flatMap(([, x]) => [made("td", {}, made("b", {}, upper(x.total))), made("td", {})]),
  );
  return made("div", {class: "wide"}, made("table", {}, made("thead", {}, head), made("tbody", {}, ...body, last)));
}

// The inequality, once for all settings that share it, each term with its share in each of them.
function drawFormulas(found) {
  const groups = new Map();
  for (const [side, x] of found) {
    const parts = formulaOf(MODEL, state[side]),
      key = JSON.stringify(parts);
    groups.set(key, [parts, [...(groups.get(key) || [null, []])[1], [side, x]]]);
  }
  const several = groups.size > 1;
  $("formula").replaceChildren(...[...groups.values()].map(([parts, sides]) => formulaBlock(parts, sides, several)));
}

function formulaBlock({left, terms}, sides, several) {
  const fine = sides.filter(([, x]) => !x.refused);
  const shown = terms.map(([name, text], i) => {
    const largest = fine.filter(([, x]) => largestOf(x) === name).map(([side]) => side);
    const shares = fine.map(([side, x]) => `${sides.length > 1 ? `${side} ` : ""}${percent(x.terms[name], x.total)}`).join(", ");
    const dominating = largest.length ? `, dominating${largest.length < fine.length ? ` in ${largest[0]}` : ""}` : "";
    return made(
      "span",
      {class: `term${largest.length ? " largest" : ""}`},
      made("span", {html: summands(text.math, i > 0)}),
      made("small", {}, swatch(name), `${words(name)} ${shares}${dominating}`),
    );
  });
  const head = several ? [made("b", {}, `${sides[0][0]}:`)] : [];
  return made("div", {}, ...head, made("span", {html: left.math}), ...shown);
}

// MathML of a sum in several pieces, between which a line may end; ``later``: it is added to what stands before it.
function summands(math, later) {
  const holder = made("div", {html: math}),
    row = holder.querySelector("mrow");
  if (!row) return math; // LaTeX that is shown as it is
  const parts = [[]];
  for (const x of row.children) {
    if (x.localName === "mo" && x.textContent === "+" && parts[parts.length - 1].length) parts.push([x]);
    else parts[parts.length - 1].push(x);
  }
  const piece = (nodes, i) => {
    const plus = later && i === 0 ? '<mo lspace="0" rspace="0.25em">+</mo>' : "";
    return `<math displaystyle="true"><mrow>${plus}${nodes.map((x) => x.outerHTML).join("")}</mrow></math>`;
  };
  return parts.map(piece).join(" ");
}

function drawRests(found) {
  $("rests").replaceChildren(
    ...found.flatMap(([side, x]) => [...(state.B ? [made("b", {}, `${side}:`)] : []), ...restsShown(state[side], x)]),
  );
}
function restsShown(setting, found) {
  const list = (items) => made("ul", {}, ...items.map((x) => (x.html ? assumed(x) : made("li", {}, x))));
  const assumed = (x) => made("li", {}, `[${x.names ? "checked" : "assumed"}] ${x.id}: `, made("span", {html: x.html}));
  const parts = [list(MODEL.assumptions.filter((x) => !x.names || found.refused || looksAt(x, found.values, setting)))];
  if (!found.refused && found.paths.length) {
    const used = new Set(found.paths.flatMap((x) => x.path.map((y) => y.profile))),
      ve = setting.options.clock === "ve",
      place = (t) => rounded(ve ? sqrt(expm1(2 * t)) : t, 4);
    const stretches = found.paths.flatMap(({end, path}) =>
      joined(path).map(
        (x) =>
          `${x.profile}, from ${place(x.from)} to ${place(x.to)}` +
          (found.paths.length > 1 ? ` (map error at ${place(found.values[end])})` : ""),
      ),
    );
    const where = ve ? "of noise levels" : "of time";
    parts.unshift(
      made("p", {}, `The local errors of the teacher are bounded by these profiles, on these stretches ${where}:`),
      list(stretches),
    );
    const more = MODEL.profiles.filter((x) => used.has(x.name)).flatMap((x) => x.assumptions);
    const said = [...MODEL.assumptions, ...more].map((x) => x.id + x.html);
    parts.push(list(more.filter((x, i) => said.indexOf(x.id + x.html) === MODEL.assumptions.length + i)));
  }
  return parts;
}
function joined(path) {
  // neighbours of one profile are one
  const found = [];
  for (const x of path) {
    const last = found[found.length - 1];
    if (last && last.profile === x.profile && last.to === x.from) last.to = x.to;
    else found.push({...x});
  }
  return found;
}

function drawTexts(found) {
  const side = state[$("whose").value] ? $("whose").value : "A",
    x = found[side],
    snapped = x.snapped || {},
    lost = location.protocol === "about:"; // inside a notebook
  const link = lost ? "a page of its own has one: cmbound explore -o FILE" : location.href.replace(/#.*/, "") + toHash(state);
  const shown = [["link", "Link", link]];
  if (!x.refused || x.elsewhere)
    shown.push(
      ["command", "Command line", asCommand(MODEL, state[side], snapped)],
      ["python", "Python", asPython(MODEL, state[side], snapped)],
      ["latex", "LaTeX", asLatex(MODEL, state[side], x.refused ? null : x)],
    );
  const none = made("p", {class: "note"}, "no command line, Python or LaTeX: the setting has no value");
  $("texts").replaceChildren(
    ...shown.flatMap(([key, title, text]) => {
      const pre = made("pre", {id: `text-${key}`, tabindex: "0"}, text);
      const button = made("button", {type: "button", id: `copy-${key}`, onclick: () => copy(pre, button)}, "copy");
      return [made("div", {class: "taken"}, made("h3", {}, title), button), pre];
    }),
    ...(shown.length > 1 ? [] : [none]),
  );
}

async function copy(pre, button) {
  try {
    await navigator.clipboard.writeText(pre.textContent);
  } catch {
    // a page without that right: by the selection
    getSelection().selectAllChildren(pre);
    document.execCommand("copy");
  }
  button.textContent = "copied";
  setTimeout(() => {
    button.textContent = "copy";
  }, 1500);
}
