// The steps of a grid.

const MOST_STEPS = 100000;
const tooLong = () => refuse(`the grid has more than ${MOST_STEPS} steps: too many for this page, use the command line`, true);

function nodesOf(model, kind, v, exactly, levels) {
  const width = minus(exactly.T, exactly.delta);
  const got = (names, violated) => readable(names, v, levels, violated);
  if (width[0] <= 0n) {
    const [first, last] = "delta" in levels && "T" in levels ? [levels.delta[0], levels.T[0]] : ["delta", "T"];
    refuse(`${first} must be below ${last}, got ${got(["delta", "T"], (x) => x.delta >= x.T)}`);
  }
  if ("h" in v && isBelow(width, exactly.h))
    refuse(`h must be at most T - delta, got ${got(["h", "delta", "T"], (x) => x.h > x.T - x.delta)}`);
  if (kind === "two-stage") return twoStage(v, exactly, width);
  const N = kind === "uniform-h" ? ceilOf(width, exactly.h) : v.N;
  if (N > MOST_STEPS) tooLong();
  const at = {delta: v.delta, T: v.T, N, rho: v.rho ?? 7, j: 0},
    nodes = [v.delta];
  for (at.j = 1; at.j < N; at.j++) nodes.push(F[model.nodes[kind === "uniform-h" ? "uniform" : kind]](at));
  nodes.push(v.T);
  return nodes;
}

function twoStage(v, exactly, width) {
  // from T downwards steps min(h, t/2); the last node is delta
  const {T, h, delta} = exactly;
  const full = maximum(0, minimum(ceilOf(width, h) - 1, floorOf(minus(T, times(h, 2)), h) + 1));
  if (full > MOST_STEPS) tooLong();
  let t = minus(T, times(h, full)),
    halvings = 0;
  const half = ([p, q]) => [p, 2n * q],
    step = (x) => (isBelow(h, half(x)) ? h : half(x));
  while (isBelow(delta, minus(t, step(t)))) [t, halvings] = [minus(t, step(t)), halvings + 1];
  const down = [],
    last = v.T - full * v.h;
  for (let i = 0; i <= full; i++) down.push(v.T - i * v.h);
  for (let i = 1; i <= halvings; i++) down.push(last / 2 ** i);
  return [v.delta, ...down.reverse()];
}

// Columns with an entry for each step, by name: beginnings, ends, sizes, constants, and the weight of local errors.
function stepsOf(model, teacher, clock, nodes, v) {
  const size = nodes.length - 1,
    rows = {a: nodes.slice(0, -1), b: nodes.slice(1)};
  rows.h = rows.b.map((b, i) => b - rows.a[i]);
  if (rows.h.some((x) => !(x > 0))) refuse("the nodes of the grid do not increase in float64: too many steps, or an extreme rho");
  const column = (name, at, given) => {
    rows[name] = at.map((a) => inOu(model, clock, name, {...v, [name]: given, a}));
  };
  column("L_f", rows.a, v.L_f);
  column("eps_sc", rows.b, v.eps_sc);
  column("eps_sc_a", rows.a, v.eps_sc);
  column("eps_cm", rows.a, v.eps_cm);
  const weight = F[model.teachers[teacher].weight];
  rows.weight = rows.L_f.map((L, i) => L * weight({a: rows.a[i]}));
  return {nodes, size, rows};
}

const inOu = (model, clock, name, v) => (clock === "ve" && name in model.inOu ? F[model.inOu[name]](v) : v[name]);

function eachStep(steps, v, names, end, f, visit) {
  // calls visit(value, i) for the steps before node ``end``
  const row = {...v};
  for (let i = 0; i < end; i++) {
    for (const name of names) row[name] = steps.rows[name][i];
    visit(f(row), i);
  }
}
const COLUMNS = ["a", "b", "h", "L_f", "eps_sc", "eps_sc_a", "eps_cm"];

function nodeAt(steps, time, v) {
  // the node at a time: T, or the nearest one
  if (time === v.T) return steps.size;
  let nearest = 1;
  steps.nodes.forEach((x, i) => {
    if (i && absolute(x - time) < absolute(steps.nodes[nearest] - time)) nearest = i;
  });
  return nearest;
}
