// The terms against one parameter: computed slice by slice, coarse points first, and drawn as they come.

const POINTS = 48;
const SLICE = 20; // ms of computing before the page may answer

// Calls the jobs one after the other while ``wanted`` holds; ``told`` after every slice, with how many are left.
function inSlices(jobs, wanted, told) {
  const left = [...jobs];
  const work = () => {
    if (!wanted()) return; // something changed meanwhile
    const start = performance.now();
    while (left.length && performance.now() - start < SLICE) left.shift()();
    told(left.length);
    if (left.length) setTimeout(work);
  };
  work();
}

let curves = 0; // which drawing is the latest
function drawCurves() {
  const mine = ++curves,
    row = MODEL.parameters.find((x) => x.name === state.over);
  const name = nameIn(state.A, row) || (state.B && nameIn(state.B, row)) || row.name,
    current = name === row.name ? row : row.alias;
  const now = {A: valueAt(state.A, current), B: state.B ? valueAt(state.B, current) : null};
  const range = rangeOf(current),
    places = [];
  for (let stride = 16; stride >= 1; stride /= 2)
    for (let i = 0; i <= POINTS; i += stride) if (!places.includes(i)) places.push(i);
  const points = {A: [], B: []};
  const jobs = places.map((i) => () => {
    const share = along(range, i / POINTS),
      x = current.integer ? Math.round(share) : share;
    for (const side of SIDES) if (state[side]) points[side].push({x, ...tried(at(state[side], row, current, x))});
  });
  inSlices(
    jobs,
    () => mine === curves,
    (left) => {
      for (const side of SIDES) points[side].sort((p, q) => p.x - q.x);
      plot(points, current, range, now, left > 0);
    },
  );
}
function at(setting, row, current, x) {
  const numbers = {...setting.numbers, [row.name]: ""};
  if (row.alias) numbers[row.alias.name] = "";
  return {numbers: {...numbers, [current.name]: String(x)}, options: setting.options};
}

const SIZE = {width: 640, height: 352, left: 72, right: 628, top: 10, bottom: 300};
function plot(points, row, [low, high], now, busy) {
  const fine = [...points.A, ...points.B].filter((x) => !x.refused);
  if (!fine.length) {
    $("curves").replaceChildren(made("p", {class: busy ? "note" : "wrong"}, busy ? "computing" : points.A[0].refused));
    $("legend").replaceChildren();
    return;
  }
  const heights = fine.flatMap((x) => [x.total, ...Object.values(x.terms), x.trivial].filter((y) => y > 0));
  const top = Math.min(Math.max(...heights, 1e-300) * 1.3, Number.MAX_VALUE);
  const bottom = Math.max(Math.min(...heights, top) / 1.3, top * 1e-8),
    {left, right} = SIZE;
  const X = (x) => left + (right - left) * shareOf([low, high], x);
  const Y = (y) => SIZE.bottom - ((SIZE.bottom - SIZE.top) * log(Math.max(y, bottom) / bottom)) / log(top / bottom);
  const picture = drawn("svg", {
    viewBox: `0 0 ${SIZE.width} ${SIZE.height}`,
    role: "img",
    "aria-label": `the terms against ${row.name}`,
  });
  const path = (list, y, attributes) => {
    let d = "",
      pen = "M";
    for (const p of list) {
      const value = p.refused ? 0 : y(p);
      if (value > bottom * 0.999) {
        d += `${pen}${X(p.x).toFixed(1)} ${Y(value).toFixed(1)}`;
        pen = "L";
      } else pen = "M";
    }
    if (d) picture.append(drawn("path", {...attributes, d}));
  };
  const main = [points.A, points.B].find((list) => list.some((x) => !x.refused)); // whose terms are drawn
  const bounded = main.filter((x) => !x.refused && x.trivial > 0);
  if (bounded.length) {
    const edge = bounded.map((p) => `${X(p.x).toFixed(1)} ${Y(p.trivial).toFixed(1)}`).join("L");
    const [first, last] = [bounded[0], bounded[bounded.length - 1]].map((p) => X(p.x).toFixed(1));
    picture.append(drawn("path", {class: "shade", d: `M${first} ${SIZE.top}L${edge}L${last} ${SIZE.top}Z`}));
  }
  drawAxes(picture, X, Y, [low, high], [bottom, top], row);
  const names = Object.keys(fine[0].terms);
  path(points.A, (p) => p.total, {class: "total"}); // below the terms: one of them may be all of it
  names.forEach((name) =>
    path(main, (p) => p.terms[name], {
      class: "line",
      stroke: `var(--t${looks(name)})`,
      "stroke-dasharray": DASHES[looks(name)],
    }),
  );
  path(points.B, (p) => p.total, {class: "total other"});
  for (const x of [now.A, now.B])
    if (x >= low && x <= high) picture.append(drawn("path", {class: "now", d: `M${X(x)} ${SIZE.top}V${SIZE.bottom}`}));
  if (bounded.length) {
    // above all lines, which may cross it
    const y = Math.max(SIZE.top + 14, Math.min(...bounded.map((p) => Y(p.trivial))) - 5);
    picture.append(drawn("text", {class: "label", x: left + 6, y}, "vacuous"));
  }
  const gap = points.A.find((x) => x.refused);
  $("curves").replaceChildren(
    picture,
    ...(gap ? [made("p", {class: "note"}, `no value at ${row.name} = ${rounded(gap.x)}: ${gap.refused}`)] : []),
    ...(busy ? [made("p", {class: "note"}, "computing")] : []),
  );
  drawLegend(names, main === points.B ? "B" : "A");
}

// A number in little room.
function tick(x) {
  const y = Number(x.toPrecision(6));
  return y !== 0 && (y < 1e-3 || y >= 1e5) ? y.toExponential().replace("+", "") : String(y);
}

function drawAxes(picture, X, Y, [low, high], [bottom, top], row) {
  const powers = (from, to) => {
    // ticks at powers of ten, at most about eight
    const first = Math.ceil(Math.log10(from) - 1e-9),
      last = Math.floor(Math.log10(to) + 1e-9),
      step = Math.max(1, Math.ceil((last - first) / 8));
    const found = [];
    for (let i = first; i <= last; i += step) found.push(10 ** i);
    return found.length > 1 ? found : [from, sqrt(from) * sqrt(to), to].map((x) => Number(x.toPrecision(2)));
  };
  for (const x of powers(low, high)) {
    picture.append(drawn("path", {class: "grid", d: `M${X(x)} ${SIZE.top}V${SIZE.bottom}`}));
    picture.append(drawn("text", {x: X(x), y: SIZE.bottom + 20, "text-anchor": "middle"}, tick(x)));
  }
  for (const y of powers(bottom, top)) {
    picture.append(drawn("path", {class: "grid", d: `M${SIZE.left} ${Y(y)}H${SIZE.right}`}));
    picture.append(drawn("text", {x: SIZE.left - 6, y: Y(y) + 4, "text-anchor": "end"}, tick(y)));
  }
  picture.append(drawn("path", {class: "axis", d: `M${SIZE.left} ${SIZE.top}V${SIZE.bottom}H${SIZE.right}`}));
  picture.append(drawn("text", {x: (SIZE.left + SIZE.right) / 2, y: SIZE.height - 6, "text-anchor": "middle"}, row.name));
}

function drawLegend(names, side) {
  const sign = (attributes) => {
    const x = drawn("svg", {viewBox: "0 0 44 12"});
    x.append(drawn("path", {...attributes, d: "M0 6H44"}));
    return x;
  };
  const entries = names.map((name) => [
    sign({class: "line", stroke: `var(--t${looks(name)})`, "stroke-dasharray": DASHES[looks(name)]}),
    words(name),
  ]);
  entries.push(
    [sign({class: "total"}), state.B ? "total of A" : "total"],
    ...(state.B ? [[sign({class: "total other"}), "total of B"]] : []),
  );
  const whose = state.B ? [made("p", {class: "note"}, `the terms drawn are those of ${side}; of ${side === "A" ? "B" : "A"} only the total`)] : [];
  $("legend").replaceChildren(...entries.map(([picture, text]) => made("span", {}, picture, ` ${text}`)), ...whose);
}

buildControls();
draw();
