/* Where everything stands: the data has the places inside each closed block; opening one stretches those around it. */
const stage = el("stage"), canvas = el("picture"), ctx = canvas.getContext("2d"), map = el("map"), card = el("card");
const fonts = getComputedStyle(document.body), SANS = fonts.fontFamily, MONO = fonts.getPropertyValue("--mono");
const NAME = "600 13px " + SANS, SMALL = "11px " + MONO;
const PAD = 20, TOP = 34, STRIP = 15, GAP = 24, HEAD = 30;
const between = (value, low, high) => Math.max(low, Math.min(high, value));

/* Stretch the columns of a block so that its open boxes have room: a map that never brings two x closer. */
function stretched(columns, kids, first) {
  const needs = [];
  kids.forEach((kid, i) => {
    const x = columns[first + i], half = kid.w / 2;
    if (kid.anchor > half || kid.cw - kid.anchor > half) needs.push([x - half, x, kid.anchor], [x, x + half, kid.cw - kid.anchor]);
  });
  if (!needs.length) return (x) => x;
  const at = [...new Set(needs.flatMap(([l, r]) => [l, r]))].sort((a, b) => a - b), place = new Map(at.map((x, i) => [x, i]));
  const ending = at.map(() => []);
  for (const [l, r, need] of needs) ending[place.get(r)].push([place.get(l), need]);
  const to = [at[0]], last = at.length - 1;
  for (let i = 1; i <= last; i++) to[i] = Math.max(to[i - 1] + at[i] - at[i - 1], ...ending[i].map(([l, need]) => to[l] + need));
  return (x) => {
    let low = 0, high = last;
    while (high - low > 1) { const mid = (low + high) >> 1; if (at[mid] <= x) low = mid; else high = mid; }
    const [near, slope] = x <= at[0] ? [0, 1] : x >= at[last] ? [last, 1] : [low, (to[high] - to[low]) / (at[high] - at[low])];
    return to[near] + (x - at[near]) * slope;
  };
}

const caption = (box) => words(box.title, box.badge);
/* How wide an open box has to be for what stands at its top. */
function captioned(box) {
  return box.caption ??= Math.min(58 + measured(caption(box), NAME) + measured(box.lines[0] || "", SMALL), 560);
}
/* Where the data goes into (0) or comes out of (1) a box, relative to the block around it. */
const port = (kid, end) => kid.rx + (kid.open && kid.ports[end].length === 1 ? kid.ports[end][0] : kid.cw / 2);

/* Lay a box out: its current size, and the places of what is inside, relative to it. */
function layout(box) {
  if (!box.open || !box.block) { box.cw = box.w; box.ch = box.h; box.anchor = box.w / 2; box.inner = null; return; }
  if (box.inner && !box.dirty) return;
  box.dirty = false;
  const [[first, last], ranks, columns, edges, width] = D.places[box.place], {kids} = box, sides = D.pairs && !box.parent;
  kids.forEach(layout);
  const to = stretched(columns, kids, first), end = first + kids.length, depth = ranks.reduce((a, b) => Math.max(a, b), 0) + 1;
  const [heights, strips, spans] = [1, 2, 3].map(() => Array(depth).fill(0));
  kids.forEach((kid, i) => {
    const rank = ranks[first + i];
    heights[rank] = Math.max(heights[rank], kid.ch);
    if (kid.labels.length) strips[rank] = Math.max(strips[rank], kid.labels.length * STRIP + 9);
  });
  for (const [s, t, ...lane] of edges) {
    let before = to(columns[s]), rank = ranks[s];
    for (const column of [...lane, columns[t]]) {
      const x = to(column);
      spans[rank] = Math.max(spans[rank], Math.abs(x - before));
      before = x; rank++;
    }
  }
  const tops = [], bottoms = [];
  let y = box.parent ? TOP + 6 : 0;
  for (let rank = 0; rank < depth; rank++) {
    tops[rank] = y;
    bottoms[rank] = y + heights[rank] + strips[rank];
    y = bottoms[rank] + (rank < depth - 1 ? GAP + (edges.length && Math.min(56, spans[rank] * .13)) : 0);
  }
  if (sides) y = Math.max(...kids.map((kid) => kid.lift + kid.ch));
  const own = to(width) - to(0) + 2 * PAD;
  box.cw = Math.max(own, box.parent ? captioned(box) : 0);
  box.ch = y + (box.parent ? PAD - 4 : 0);
  const shift = PAD - to(0) + (box.cw - own) / 2, x = (column) => to(column) + shift;
  kids.forEach((kid, i) => {
    const rank = ranks[first + i];
    kid.rx = x(columns[first + i]) - kid.anchor;
    kid.ry = sides ? kid.lift : tops[rank] + (heights[rank] - kid.ch) / 2;
  });
  box.ports = [columns.slice(0, first).map(x), columns.slice(end, end + last).map(x)];
  box.anchor = first === 1 ? box.ports[0][0] : box.cw / 2; // where the trunk enters
  box.inner = {first, end, ranks, edges, tops, bottoms, x, columns, lines: null};
}

/* The points of every edge of an open block, relative to it: x, then the y where its straight part begins and ends. */
function lines(box) {
  const {first, end, ranks, edges, tops, bottoms, x, columns} = box.inner;
  return box.inner.lines ??= edges.map(([s, t, ...lane]) => {
    const from = box.kids[s - first], into = t < end && box.kids[t - first];
    const points = from ? [port(from, 1), from.ry + from.ch, bottoms[ranks[s]]] : [x(columns[s]), TOP - 4, tops[ranks[s]]];
    lane.forEach((column, i) => points.push(x(column), tops[ranks[s] + 1 + i], bottoms[ranks[s] + 1 + i]));
    points.push(...(into ? [port(into, 0), tops[ranks[t]], into.ry] : [x(columns[t]), tops[ranks[t]], box.ch]));
    const across = points.filter((_, i) => i % 3 === 0);
    return {points, low: Math.min(...across), high: Math.max(...across), top: points[1], bottom: points.at(-1), from, into};
  });
}

function placeAll(box) {
  for (const kid of box.kids) { kid.x = box.x + kid.rx; kid.y = box.y + kid.ry; if (kid.open) placeAll(kid); }
}
function arrange() { layout(root); placeAll(root); mapStale = true; later(); }
function touch(box) { for (const b of above(box)) b.dirty = true; }
/* Open every block around a box. */
function reveal(box) { for (const b of above(box.parent)) if (!b.open) { b.open = true; touch(b); } }
