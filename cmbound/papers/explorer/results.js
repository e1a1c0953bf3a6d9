// What a state gives: the value in words, bars and a table, the formula, what it rests on, and what can be copied.

function tried(setting) {
  // what evaluate gives, or {refused}
  try {
    return evaluate(MODEL, setting);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {refused: error.message};
  }
}
const looks = (name) => MODEL.looks[name] % DASHES.length;
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
    const sign = MODEL.kind === "order" ? "≲" : MODEL.kind === "exact" ? "=" : "≤",
      vacuous = x.trivial !== null && x.total >= x.trivial;
    const value = made(
      "p",
      {class: `value${vacuous ? " vacuous" : ""}`},
      `${name}${sign} `,
      made("b", {}, number(x.total)),
      made("span", {class: "note"}, "  approximate (float64 in the browser)"),
    );
    const moved = Object.entries(x.snapped).map(([y, t]) =>
      made("span", {class: "note"}, `${y} is put at the nearest node of the grid, ${number(t)}. `),
    );
    if (moved.length) value.append(made("br"), ...moved);
    if (vacuous)
      value.append(
        made("br"),
        `vacuous: ${MODEL.metric === "TV" ? "total variation never exceeds" : `always answering ${x.centred ? "the mean" : "0"} achieves`} ${number(x.trivial)}; ` +
          `the dominating term is ${words(largestOf(x))} (${percent(x.terms[largestOf(x)], x.total)})`,
      );
    return value;
  });
  const ve = MODEL.veNote && SIDES.some((x) => state[x] && state[x].options.clock === "ve") ? [MODEL.veNote] : [];
  const notes = [...MODEL.notes, ...ve].map((x) => made("p", {class: "note"}, x.replace("{C}", state.A.numbers.C || "?")));
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

function drawBars(found) {
  // one stacked bar for each setting, and the table of its terms
  $("bars").replaceChildren();
  if (!found.length) return;
  const width = 640,
    left = state.B ? 24 : 4,
    right = width - 12,
    high = 34,
    totals = 1.3 * Math.max(...found.map(([, x]) => x.total), 1e-300);
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
      bar.append(drawn("title", {}, `${words(name)}: ${number(value)}`));
      picture.append(bar);
      sum += value;
    });
  });
  picture.append(drawn("path", {class: "axis", d: `M${left} ${found.length * high}H${right}`}));
  for (const x of linearTicks(most))
    picture.append(
      drawn("text", {x: at(x), y: found.length * high + 14, "text-anchor": x === 0 ? "start" : "middle"}, number(x)),
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
      made("td", {}, made("span", {class: "swatch", style: `background:var(--t${looks(name)})`}), words(name)),
      ...found.flatMap(([, x]) =>
        (name in x.terms ? [number(x.terms[name]), percent(x.terms[name], x.total)] : ["", ""]).map((y) => made("td", {}, y)),
      ),
    ),
  );
  const last = made(
    "tr",
    {},
    made("td", {}, made("b", {}, "total")),
    ...found.flatMap(([, x]) => [made("td", {}, made("b", {}, number(x.total))), made("td", {})]),
  );
  return made("div", {class: "wide"}, made("table", {}, made("thead", {}, head), made("tbody", {}, ...body, last)));
}

function drawFormula(setting, found) {
  const {left, terms} = formulaOf(MODEL, setting),
    largest = found.refused ? null : largestOf(found);
  const parts = terms.map(([name, text], i) => {
    const share = found.refused ? "" : ` ${percent(found.terms[name], found.total)}`;
    const caption = `${words(name)}${share}${name === largest ? ", dominating" : ""}`;
    const swatch = `<span class="swatch" style="background:var(--t${looks(name)})"></span>`;
    return made("span", {
      class: `term${name === largest ? " largest" : ""}`,
      html: `<span>${i ? "+ " : ""}${text.math}</span><small>${swatch}${caption}</small>`,
    });
  });
  $("formula").replaceChildren(made("span", {html: left.math}), ...parts);
}

function drawRests(found) {
  const list = (items) => made("ul", {}, ...items.map((x) => made("li", {html: x})));
  const parts = [list(MODEL.assumptions.map((x) => `[${x.names ? "checked" : "assumed"}] ${x.id}: ${x.html}`))];
  if (!found.refused && found.paths.length) {
    const used = new Set(found.paths.flatMap((x) => x.path.map((y) => y.profile)));
    const stretches = found.paths.flatMap(({end, path}) =>
      joined(path).map(
        (x) =>
          `${x.profile}, from ${number(x.from)} to ${number(x.to)}` + (found.paths.length > 1 ? ` (map error at ${end})` : ""),
      ),
    );
    parts.unshift(
      made("p", {}, "The local errors of the teacher are bounded by these profiles, on these stretches of time:"),
      list(stretches),
    );
    parts.push(
      list(
        MODEL.profiles.filter((x) => used.has(x.name)).flatMap((x) => x.assumptions.map((y) => `[assumed] ${y.id}: ${y.html}`)),
      ),
    );
  }
  $("rests").replaceChildren(...parts);
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
    x = found[side].refused ? null : found[side],
    snapped = x ? x.snapped : {};
  const lost = location.protocol === "about:"; // inside a notebook
  const shown = [
    [
      "link",
      "Link",
      lost ? "a page of its own has one: cmbound explore -o FILE" : location.href.replace(/#.*/, "") + toHash(state),
    ],
  ];
  for (const [key, title, make] of [
    ["command", "Command line", asCommand],
    ["python", "Python", asPython],
  ])
    shown.push([key, title, attempt(() => make(MODEL, state[side], snapped))]);
  shown.push(["latex", "LaTeX", attempt(() => asLatex(MODEL, state[side], x))]);
  $("texts").replaceChildren(
    ...shown.flatMap(([key, title, text]) => {
      const pre = made("pre", {id: `text-${key}`, tabindex: "0"}, text);
      const button = made("button", {type: "button", id: `copy-${key}`, onclick: () => copy(pre, button)}, "copy");
      return [made("div", {class: "taken"}, made("h3", {}, title), button), pre];
    }),
  );
}
const attempt = (make) => {
  try {
    return make();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
};

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
