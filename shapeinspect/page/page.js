"use strict";
(async () => {
const el = (id) => document.getElementById(id);
async function inflated(packed) {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}
const held = el("data"), D = JSON.parse(held.type === "text/plain" ? await inflated(held.textContent) : held.textContent);
const T = D.texts;
const stage = el("stage"), canvas = el("picture"), ctx = canvas.getContext("2d"), map = el("map"), card = el("card");

const SANS = "ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif";
const MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace";
const NAME = "600 13px " + SANS, SMALL = "11px " + MONO;

/* ---- the boxes --------------------------------------------------------------------------------------- */

const FIELDS = ["title", "path", "kind", "family", "lines", "labels", "w", "h", "card", "place", "kids",
  "members", "differences", "params", "macs", "bytes", "dtype", "field", "data", "turn", "amounts", "shapes"];
const all = [], byPath = new Map();

function read(raw, parent, index, side) {
  const box = {parent, index, side: D.pairs && !parent ? -1 : D.pairs && !parent.parent ? index : side, pair: null, counts: null, open: false, x: 0, y: 0, cw: 0, ch: 0, hit: false};
  FIELDS.forEach((name, i) => { box[name] = raw[i]; });
  for (const name of ["title", "path", "kind", "family", "dtype"]) box[name] = T[box[name]];
  box.lines = box.lines.map((i) => T[i]);
  box.labels = box.labels.map(([a, b]) => [T[a], T[b]]);
  box.members = box.members.map((i) => T[i]);
  box.differences = box.differences.map((i) => T[i]);
  box.number = all.length;
  all.push(box);
  if (!byPath.has(box.path)) byPath.set(box.path, box);
  box.kids = box.kids.map((kid, i) => read(kid, box, i, box.side));
  return box;
}
const root = read(D.root, null, 0, -1);
root.open = true;

/* The layer that refused its input, where the page says why a call failed. */
const failed = D.failed === undefined ? null : all.findLast((box) => box.path === T[D.failed] || box.members.includes(T[D.failed])) || null;
if (failed) {
  failed.family = "wrong";
  const via = new Set(D.wrong.via.map((i) => T[i]));
  for (const box of all) if (via.has(box.path) && !box.kids.length) for (let b = box; b; b = b.parent) b.via = true;
}
/* The lengths of an operand of the layer that refused, those that clash marked; null for any other shape. */
const clash = (box, shape) => { const found = failed && D.wrong.operands.find(([maker, lengths]) => (maker === box.path || (box.kids.length && maker.startsWith(box.path))) && lengths.map((l) => l[0]).join(" ") === shape); return found && found[1].some((l) => l[1]) ? found[1] : null; };

/* Two models: the pair of each box, and how many layers of a block have which status. */
const MARKS = {differs: "≠", only_a: "−", only_b: "+", ambiguous: "?"}, HUES = {same: "norm", differs: "act", only_a: "recurrent", only_b: "pool", ambiguous: "linear"};
if (D.pairs) {
  const known = [new Map(), new Map()];
  for (const pair of D.pairs) for (const side of [0, 1]) if (pair[side] >= 0) known[side].set(T[pair[side]], pair);
  for (const box of all) if (box.side >= 0 && !box.kids.length) box.pair = known[box.side].get(box.path) || null;
  const count = (box) => {
    box.counts = {};
    if (box.pair && box.pair[2] !== "same") box.counts[box.pair[2]] = box.members.length || 1;
    for (const kid of box.kids) for (const [name, n] of Object.entries(count(kid))) box.counts[name] = (box.counts[name] || 0) + n * Math.max(1, box.members.length);
    return box.counts;
  };
  count(root);
  root.kids.forEach((kid) => { kid.open = true; });
}
const partners = (box) => {
  if (!box || !box.pair) return [];
  const path = box.pair[1 - box.side];
  return path < 0 ? [] : all.filter((other) => other.side === 1 - box.side && other.path === T[path]);
};
const marks = (box) => Object.entries(box.counts || {}).map(([name, n]) => MARKS[name] + (box.kids.length ? n : "")).join(" ");

const PAD = 20, TOP = 34, STRIP = 15, GAP = 24, HEAD = 30;

/* Stretch the columns of a block so that its open boxes have room: a map that never brings two x closer. */
function stretched(columns, kids, first) {
  const points = [], needs = [];
  kids.forEach((kid, i) => {
    const x = columns[first + i], half = kid.w / 2;
    if (kid.anchor <= half && kid.cw - kid.anchor <= half) return;
    needs.push([x - half, x, kid.anchor], [x, x + half, kid.cw - kid.anchor]);
    points.push(x - half, x, x + half);
  });
  if (!points.length) return (x) => x;
  const at = [...new Set(points)].sort((a, b) => a - b), place = new Map(at.map((x, i) => [x, i]));
  const ending = at.map(() => []);
  for (const [l, r, need] of needs) ending[place.get(r)].push([place.get(l), need]);
  const to = [at[0]];
  for (let i = 1; i < at.length; i++) {
    to[i] = to[i - 1] + at[i] - at[i - 1];
    for (const [l, need] of ending[i]) to[i] = Math.max(to[i], to[l] + need);
  }
  return (x) => {
    if (x <= at[0]) return x - at[0] + to[0];
    const last = at.length - 1;
    if (x >= at[last]) return x - at[last] + to[last];
    let low = 0, high = last;
    while (high - low > 1) { const mid = (low + high) >> 1; if (at[mid] <= x) low = mid; else high = mid; }
    return to[low] + (x - at[low]) * (to[high] - to[low]) / (at[high] - at[low]);
  };
}

const caption = (box) => box.title + (box.members.length > 1 ? "  ×" + box.members.length : "");
/* How wide an open box has to be for what stands at its top. */
function captioned(box) {
  ctx.font = NAME;
  const own = ctx.measureText(caption(box)).width;
  ctx.font = SMALL;
  return box.caption ??= Math.min(56 + own + ctx.measureText(box.lines[0] || "").width + 2, 560);
}

/* Lay a box out: its current size, and the places of what is inside, relative to it. */
function layout(box) {
  if (!box.open || !box.kids.length) { box.cw = box.w; box.ch = box.h; box.anchor = box.w / 2; box.inner = null; return; }
  if (box.inner && !box.dirty) return;
  box.dirty = false;
  const [[first, last], ranks, columns, edges, width] = D.places[box.place];
  for (const kid of box.kids) layout(kid);
  const to = stretched(columns, box.kids, first);
  const count = box.kids.length, depth = Math.max(...[0, ...new Set(ranks)]) + 1;
  const heights = new Array(depth).fill(0), strips = new Array(depth).fill(0), spans = new Array(depth).fill(0);
  box.kids.forEach((kid, i) => {
    const rank = ranks[first + i];
    heights[rank] = Math.max(heights[rank], kid.ch);
    if (kid.labels.length) strips[rank] = Math.max(strips[rank], kid.labels.length * STRIP + 9);
  });
  for (const edge of edges) {
    let before = columns[edge[0]], rank = ranks[edge[0]];
    for (let i = 2; i <= edge.length; i++) {
      const x = i < edge.length ? edge[i] : columns[edge[1]];
      spans[rank] = Math.max(spans[rank], Math.abs(to(x) - to(before)));
      before = x; rank++;
    }
  }
  const tops = [], bottoms = [];
  let y = box.parent ? TOP + 6 : 0;
  for (let rank = 0; rank < depth; rank++) {
    tops[rank] = y;
    y += heights[rank];
    bottoms[rank] = y + strips[rank];
    y = bottoms[rank] + (rank < depth - 1 ? (edges.length ? GAP + Math.min(56, spans[rank] * .13) : GAP) : 0);
  }
  const minX = to(0), shift = PAD - minX;
  box.kids.forEach((kid, i) => {
    const rank = ranks[first + i];
    kid.rx = to(columns[first + i]) + shift - kid.anchor;
    kid.ry = D.pairs && !box.parent ? kid.lift || 0 : tops[rank] + (heights[rank] - kid.ch) / 2;
  });
  if (D.pairs && !box.parent) y = Math.max(...box.kids.map((kid) => (kid.lift || 0) + kid.ch));
  box.cw = Math.max(to(width) - minX + 2 * PAD, box.parent ? captioned(box) : 0);
  const extra = (box.cw - (to(width) - minX + 2 * PAD)) / 2;
  if (extra > 0) for (const kid of box.kids) kid.rx += extra;
  box.ch = y + (box.parent ? PAD - 4 : 0);
  const port = (i) => to(columns[i]) + shift + extra;
  box.ports = [Array.from({length: first}, (_, i) => port(i)), Array.from({length: last}, (_, i) => port(first + count + i))];
  box.anchor = first === 1 ? box.ports[0][0] : box.cw / 2; // where the trunk enters
  box.inner = {first, last, count, ranks, edges, tops, bottoms, x: (v) => to(v) + shift + extra, columns, lines: null};
}

/* The points of every edge of an open block, relative to it: x, then the y where its straight part begins and ends. */
function lines(box) {
  const {first, count, ranks, edges, tops, bottoms, x, columns} = box.inner;
  if (box.inner.lines) return box.inner.lines;
  const made = edges.map((edge) => {
    const points = [], [s, t] = edge;
    if (s < first) points.push(x(columns[s]), TOP - 4, tops[ranks[s]]);
    else {
      const kid = box.kids[s - first], ports = kid.open && kid.ports && kid.ports[1].length === 1 ? kid.rx + kid.ports[1][0] : kid.rx + kid.cw / 2;
      points.push(ports, kid.ry + kid.ch, bottoms[ranks[s]]);
    }
    let rank = ranks[s] + 1;
    for (let i = 2; i < edge.length; i++, rank++) points.push(x(edge[i]), tops[rank], bottoms[rank]);
    if (t >= first + count) points.push(x(columns[t]), tops[ranks[t]], box.ch);
    else {
      const kid = box.kids[t - first], ports = kid.open && kid.ports && kid.ports[0].length === 1 ? kid.rx + kid.ports[0][0] : kid.rx + kid.cw / 2;
      points.push(ports, tops[ranks[t]], kid.ry);
    }
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < points.length; i += 3) { low = Math.min(low, points[i]); high = Math.max(high, points[i]); }
    return {points, low, high, top: points[1], bottom: points[points.length - 1], s: s - first, t: t >= first + count ? -2 : t - first};
  });
  return box.inner.lines = made;
}

function placeAll(box) {
  for (const kid of box.kids) { kid.x = box.x + kid.rx; kid.y = box.y + kid.ry; if (kid.open) placeAll(kid); }
}
function arrange() { layout(root); root.x = 0; root.y = 0; placeAll(root); mapStale = true; later(); }
function touch(box) { for (let b = box; b; b = b.parent) b.dirty = true; }

/* ---- colors ------------------------------------------------------------------------------------------- */

let css = {}, mode = "kind", scale = null;
function colors() {
  const style = getComputedStyle(document.documentElement);
  css = {};
  for (const name of ["back", "face", "ink", "soft", "line", "edge", "strong", "accent", "block"]) css[name] = style.getPropertyValue("--" + name).trim();
  css.dark = style.colorScheme.includes("dark");
  css.family = {};
  for (const name of Object.keys(D.families)) css.family[name] = [style.getPropertyValue("--" + name).trim(), style.getPropertyValue("--" + name + "-s").trim()];
}
const NUMBERS = {params: "parameters", macs: "MACs", bytes: "bytes", field: "receptive field"};
const WORDS = ["conv", "act", "pool", "attention", "embedding", "recurrent", "linear", "math", "join", "shape", "norm"];
const amount = (n) => n >= 1e12 ? (n / 1e12).toPrecision(3) + " T" : n >= 1e9 ? (n / 1e9).toPrecision(3) + " G" : n >= 1e6 ? (n / 1e6).toPrecision(3) + " M" : n >= 1e3 ? (n / 1e3).toPrecision(3) + " k" : String(Math.round(n * 1e4) / 1e4);
function scaled() {
  scale = null;
  if (mode === "kind" || mode === "status") return;
  const leaves = all.filter((box) => !box.kids.length && box.kind !== "input" && box.kind !== "output");
  const values = leaves.map((box) => box[mode]).filter((v) => v !== null && v !== "" && v !== undefined);
  if (mode === "dtype" || values.some((v) => typeof v === "string")) {
    const words = [...new Set(values.map(String))].sort();
    scale = {words: new Map(words.map((word, i) => [word, i]))};
  } else {
    const known = values.filter((v) => v > 0 || (mode === "data"));
    scale = {low: Math.min(...spread(known)), high: Math.max(...spread(known)), log: mode !== "data" || (known.every((v) => v > 0) && Math.max(...spread(known)) > 50 * Math.min(...spread(known)))};
  }
}
function spread(values) { let low = Infinity, high = -Infinity; for (const v of values) { if (v < low) low = v; if (v > high) high = v; } return [low, high]; }
function ramp(part) {
  const p = Math.max(0, Math.min(1, part)), light = css.dark ? 18 + 22 * p : 97 - 27 * p;
  return [`hsl(212 ${45 + 35 * p}% ${light}%)`, `hsl(212 ${40 + 20 * p}% ${css.dark ? light + 16 : light - 30}%)`];
}
function paint(box) {
  if (mode === "status") return css.family[HUES[box.pair ? box.pair[2] : Object.keys(box.counts || {})[0] || "same"]];
  if (mode === "kind") return css.family[box.family];
  const value = box[mode], none = [css.face, css.line];
  if (value === null || value === "" || value === undefined) return none;
  if (scale.words) return scale.words.has(String(value)) ? css.family[WORDS[scale.words.get(String(value)) % WORDS.length]] : none;
  if (mode === "field" && value === 0) return ramp(1);
  if (mode !== "data" && !value) return none;
  const {low, high, log} = scale;
  if (high <= low) return ramp(.5);
  return ramp(log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
}
function legend() {
  const list = [];
  if (mode === "kind") {
    const used = new Set(all.map((box) => box.family));
    for (const [name, text] of Object.entries(D.families)) if (used.has(name) && name !== "module" && name !== "end") list.push([css.family[name], text]);
  } else if (mode === "status") for (const [name, text] of Object.entries(D.statuses)) list.push([css.family[HUES[name]], (MARKS[name] ? MARKS[name] + "  " : "") + text]);
  else if (scale.words) for (const [word, i] of scale.words) list.push([css.family[WORDS[i % WORDS.length]], word]);
  const node = el("legend");
  node.replaceChildren(...list.slice(0, 24).map(([[fill, stroke], text]) => {
    const mark = make("i"), item = make("span", "", mark, text);
    mark.style.background = fill; mark.style.borderColor = stroke;
    return item;
  }));
  if (list.length > 24) node.append(make("span", "", `and ${list.length - 24} more`));
  if (scale && !scale.words && scale.high >= scale.low) {
    const bar = make("i", "ramp");
    bar.style.background = `linear-gradient(90deg,${[0, .25, .5, .75, 1].map((p) => ramp(p)[0]).join(",")})`;
    bar.style.borderColor = css.line;
    node.append(make("span", "", mode === "data" ? D.column : NUMBERS[mode] + (mode === "macs" && D.usual ? ` if every open length were ${D.usual}` : ""), " ", amount(scale.low), bar, amount(scale.high) + (mode === "field" ? " or all" : "")));
  }
  node.hidden = !node.childNodes.length;
  node.tabIndex = node.scrollWidth > node.clientWidth ? 0 : -1;
}

/* ---- drawing ------------------------------------------------------------------------------------------ */

let mates = new Set(), zoom = 1, panX = 0, panY = 0, wide = 0, high = 0, ratio = 1, asked = false, selected = null, hits = [], mapStale = true, drawn = 0;
const cut = new Map();
function fitted(text, font, room) {
  const key = font + room + text;
  let known = cut.get(key);
  if (known === undefined) {
    ctx.font = font;
    known = text;
    if (ctx.measureText(text).width > room) {
      let low = 0, top = text.length;
      while (low < top) { const mid = (low + top + 1) >> 1; if (ctx.measureText(text.slice(0, mid) + "…").width <= room) low = mid; else top = mid - 1; }
      known = text.slice(0, low) + "…";
    }
    if (cut.size > 20000) cut.clear();
    cut.set(key, known);
  }
  return known;
}
function later() { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } }

function draw() {
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.fillStyle = css.back;
  ctx.fillRect(0, 0, wide, high);
  ctx.setTransform(ratio * zoom, 0, 0, ratio * zoom, ratio * panX, ratio * panY);
  const view = {l: -panX / zoom, t: -panY / zoom, r: (wide - panX) / zoom, b: (high - panY) / zoom};
  ctx.lineJoin = "round";
  drawn = 0;
  inside(root, view);
  drawMap(view);
}
function inside(box, view) {
  wires(box, view);
  const plain = zoom < .2;
  for (const kid of box.kids) {
    if (kid.x > view.r || kid.x + kid.cw < view.l - 300 || kid.y > view.b || kid.y + kid.ch + 60 < view.t) continue;
    drawn++;
    if (kid.open) { opened(kid); inside(kid, view); } else if (plain) speck(kid); else closed(kid);
    if (zoom >= .48 && kid.labels.length) labels(kid);
  }
}
function trace(points, ox, oy, quick) {
  ctx.moveTo(points[0] + ox, points[1] + oy);
  if (quick) { // from afar without curves
    for (let i = 0; i < points.length; i += 3) { if (i) ctx.lineTo(points[i] + ox, points[i + 1] + oy); ctx.lineTo(points[i] + ox, points[i + 2] + oy); }
    return;
  }
  ctx.lineTo(points[0] + ox, points[2] + oy);
  for (let i = 3; i < points.length; i += 3) {
    const x0 = points[i - 3] + ox, y0 = points[i - 1] + oy, x1 = points[i] + ox, y1 = points[i + 1] + oy;
    if (Math.abs(x0 - x1) < .6) ctx.lineTo(x1, y1);
    else bend(x0, y0, x1, y1);
    ctx.lineTo(x1, points[i + 2] + oy);
  }
}
/* A step with round corners: down, across, down. */
function bend(x0, y0, x1, y1) {
  const mid = (y0 + y1) / 2, r = Math.min(Math.abs(y1 - y0) / 2, Math.abs(x1 - x0) / 2, 14), side = Math.sign(x1 - x0);
  if (Math.abs(x1 - x0) < 3 * Math.abs(y1 - y0)) { ctx.bezierCurveTo(x0, mid, x1, mid, x1, y1); return; }
  ctx.lineTo(x0, mid - r);
  ctx.quadraticCurveTo(x0, mid, x0 + side * r, mid);
  ctx.lineTo(x1 - side * r, mid);
  ctx.quadraticCurveTo(x1, mid, x1, mid + r);
  ctx.lineTo(x1, y1);
}
function wires(box, view) {
  const quick = zoom < .2, ox = box.x, oy = box.y, chosen = [], red = (line) => failed && box.via && (line.s < 0 || box.kids[line.s].via) && line.t >= 0 && box.kids[line.t].via, reds = [];
  ctx.strokeStyle = css.edge;
  ctx.lineWidth = quick ? 1 / zoom * .7 : 1.4;
  ctx.beginPath();
  const tips = [];
  for (const line of lines(box)) {
    if (line.top + oy > view.b || line.bottom + oy < view.t || line.low + ox > view.r || line.high + ox < view.l) continue;
    if (red(line)) { reds.push(line); continue; }
    if (selected && selected.parent === box && (line.s === selected.index || line.t === selected.index)) { chosen.push(line); continue; }
    trace(line.points, ox, oy, quick);
    if (!quick && line.t >= 0) tips.push(line);
  }
  ctx.stroke();
  arrows(tips, ox, oy, css.edge);
  for (const [list, color] of [[chosen, css.accent], [reds, css.family.wrong && css.family.wrong[1]]]) {
    if (!list.length) continue;
    ctx.strokeStyle = color;
    ctx.lineWidth = quick ? 2 / zoom : 2.2;
    ctx.beginPath();
    for (const line of list) trace(line.points, ox, oy, quick);
    ctx.stroke();
    if (!quick) arrows(list.filter((line) => line.t >= 0), ox, oy, color);
  }
}
function arrows(list, ox, oy, color) {
  if (!list.length || zoom < .3) return;
  ctx.fillStyle = color;
  ctx.beginPath();
  for (const {points} of list) {
    const x = points[points.length - 3] + ox, y = points[points.length - 1] + oy;
    ctx.moveTo(x, y); ctx.lineTo(x - 4, y - 6.5); ctx.lineTo(x + 4, y - 6.5); ctx.closePath();
  }
  ctx.fill();
}
function round(x, y, w, h, r) { ctx.beginPath(); ctx.roundRect(x, y, w, h, r); }
function border(box) {
  if (box === selected || mates.has(box)) { ctx.strokeStyle = css.accent; ctx.lineWidth = Math.max(2.6, 2 / zoom); }
  else if (box.hit) { ctx.strokeStyle = css.family.act[1]; ctx.lineWidth = Math.max(2.6, 2 / zoom); }
  else return false;
  return true;
}
function speck(box) {
  ctx.fillStyle = box.hit ? css.family.act[1] : box === selected ? css.accent : paint(box)[1];
  ctx.globalAlpha = box.hit || box === selected ? 1 : .75;
  ctx.fillRect(box.x, box.y, box.cw, box.ch);
  ctx.globalAlpha = 1;
}
function closed(box) {
  const [fill, stroke] = paint(box), {x, y, w, h} = box, block = box.kids.length > 0;
  if (block) { // a stack of sheets: there is something inside
    const sheets = box.members.length > 1 ? 2 : 1;
    ctx.strokeStyle = stroke; ctx.lineWidth = 1;
    for (let i = sheets; i > 0; i--) { round(x + 3 * i, y + 3 * i, w, h, 9); ctx.fillStyle = css.face; ctx.fill(); ctx.stroke(); }
  }
  round(x, y, w, h, block ? 9 : 7);
  ctx.fillStyle = block && (mode === "kind" || (mode === "status" && !Object.keys(box.counts).length)) ? css.face : fill;
  ctx.fill();
  if (!border(box)) { ctx.strokeStyle = stroke; ctx.lineWidth = block ? 1.5 : 1; }
  ctx.stroke();
  if (zoom < .2) return;
  if (zoom < .44) { // from afar the name alone, as large as the box allows
    const size = Math.min(Math.max(13, 9.5 / zoom), h * .62), font = `600 ${size.toFixed(1)}px ${SANS}`, shown = fitted([box.title, marks(box)].filter(Boolean).join(" "), font, w - 14);
    ctx.font = font; ctx.fillStyle = css.ink; ctx.textAlign = "center"; ctx.textBaseline = "middle";
    ctx.fillText(shown, x + w / 2, y + h / 2 + size * .04); ctx.textAlign = "left";
    return;
  }
  const left = block ? x + 26 : x + 12, room = w - (block ? 40 : 24), badge = [box.members.length > 1 ? "×" + box.members.length : "", marks(box)].filter(Boolean).join("  ");
  if (block) chevron(x + 13, y + 16, false);
  ctx.textBaseline = "middle";
  const ink = css.ink, own = !block && box.lines.length === 1 && h <= HEAD;
  const middle = own ? y + h / 2 + .5 : y + 16;
  let space = room - (badge ? 12 + 8 * badge.length : 0);
  if (own) { ctx.font = SMALL; space -= ctx.measureText(box.lines[0]).width + 10; }
  ctx.textAlign = "left";
  const title = fitted(box.title, NAME, Math.max(space, 30));
  ctx.font = NAME; ctx.fillStyle = ink;
  ctx.fillText(title, left, middle);
  if (badge) { ctx.textAlign = "right"; ctx.fillStyle = css.accent; ctx.fillText(badge, x + w - 12, middle); ctx.textAlign = "left"; }
  ctx.fillStyle = css.soft;
  if (own) { ctx.textAlign = "right"; ctx.font = SMALL; ctx.fillText(box.lines[0], x + w - 12 - (badge ? 12 + 8 * badge.length : 0), middle); ctx.textAlign = "left"; }
  else box.lines.forEach((text, i) => { const shown = fitted(text, SMALL, room); ctx.font = SMALL; ctx.fillStyle = mode !== "kind" ? css.ink : i ? css.soft : css.strong; ctx.fillText(shown, left, y + 33 + 16 * i); });
}
function chevron(x, y, open) {
  ctx.beginPath();
  if (open) { ctx.moveTo(x - 4, y - 2.5); ctx.lineTo(x, y + 2.5); ctx.lineTo(x + 4, y - 2.5); }
  else { ctx.moveTo(x - 2.5, y - 4); ctx.lineTo(x + 2.5, y); ctx.lineTo(x - 2.5, y + 4); }
  ctx.strokeStyle = css.soft; ctx.lineWidth = 1.8; ctx.stroke();
}
function opened(box) {
  const {x, y, cw, ch} = box;
  round(x, y, cw, ch, 10);
  ctx.fillStyle = css.block; ctx.fill();
  if (!border(box)) { ctx.strokeStyle = css.family.module[1]; ctx.lineWidth = Math.max(1.2, .8 / zoom); }
  ctx.stroke();
  if (zoom < .25) return;
  chevron(x + 14, y + 16, true);
  ctx.textBaseline = "middle"; ctx.textAlign = "left";
  const room = cw - 44, title = fitted(caption(box), NAME, room);
  ctx.font = NAME; ctx.fillStyle = css.ink; ctx.fillText(title, x + 27, y + 16);
  const end = ctx.measureText(title).width + 12, rest = room - end;
  if (rest > 60 && zoom >= .42 && box.lines.length) { const shown = fitted(box.lines[0], SMALL, rest); ctx.font = SMALL; ctx.fillStyle = css.soft; ctx.fillText(shown, x + 27 + end, y + 16.5); }
}
function labels(box) {
  if (!box.parent || box.wired === false) return;
  const x = box.x + (box.open && box.ports && box.ports[1].length === 1 ? box.ports[1][0] : box.cw / 2) + 9;
  ctx.font = SMALL; ctx.textBaseline = "middle"; ctx.textAlign = "left";
  box.labels.forEach(([shape, change], i) => {
    const y = box.y + box.ch + 15 + 15 * i;
    const lengths = clash(box, shape), w0 = ctx.measureText(" ").width;
    if (lengths) {
      let at = x;
      for (const [text, wrong] of lengths) { ctx.font = wrong ? "700 12px " + MONO : SMALL; ctx.fillStyle = wrong ? css.family.wrong[1] : css.soft; ctx.fillText(text, at, y); at += ctx.measureText(text).width + w0; }
      ctx.font = SMALL;
    } else { ctx.fillStyle = css.soft; ctx.fillText(shape, x, y); }
    if (change) { const w = ctx.measureText(shape + " ").width; ctx.fillStyle = css.accent; ctx.fillText(change, x + w, y); }
  });
}

/* ---- the small map ------------------------------------------------------------------------------------ */

const sheet = document.createElement("canvas");
let mapScale = 1, mapX = 0, mapY = 0;
function drawMap(view) {
  const w = 168, h = 118, m = map.getContext("2d");
  if (map.width !== w * ratio) { map.width = w * ratio; map.height = h * ratio; mapStale = true; }
  if (mapStale) {
    mapStale = false;
    sheet.width = w * ratio; sheet.height = h * ratio;
    const s = sheet.getContext("2d");
    mapScale = Math.min((w - 12) / root.cw, (h - 12) / root.ch);
    mapX = (w - root.cw * mapScale) / 2; mapY = (h - root.ch * mapScale) / 2;
    s.setTransform(ratio * mapScale, 0, 0, ratio * mapScale, ratio * mapX, ratio * mapY);
    const each = (box) => { for (const kid of box.kids) { s.fillStyle = kid.open ? css.line : paint(kid)[1]; s.globalAlpha = kid.open ? .45 : .8; s.fillRect(kid.x, kid.y, kid.cw, Math.max(kid.ch, .8 / mapScale)); if (kid.open) each(kid); } };
    each(root);
  }
  map.hidden = view.l <= 0 && view.t <= 0 && view.r >= root.cw && view.b >= root.ch;
  m.setTransform(1, 0, 0, 1, 0, 0);
  m.clearRect(0, 0, map.width, map.height);
  m.drawImage(sheet, 0, 0);
  m.setTransform(ratio, 0, 0, ratio, 0, 0);
  m.strokeStyle = css.accent; m.lineWidth = 1.5;
  const l = Math.max(1, mapX + view.l * mapScale), t = Math.max(1, mapY + view.t * mapScale);
  m.strokeRect(l, t, Math.max(3, Math.min(w - 1, mapX + view.r * mapScale) - l), Math.max(3, Math.min(h - 1, mapY + view.b * mapScale) - t));
}
function byMap(event) {
  const frame = map.getBoundingClientRect(), factor = 168 / frame.width;
  const x = ((event.clientX - frame.left) * factor - mapX) / mapScale, y = ((event.clientY - frame.top) * factor - mapY) / mapScale;
  panX = wide / 2 - x * zoom; panY = high / 2 - y * zoom;
  later();
}
map.addEventListener("pointerdown", (event) => { event.stopPropagation(); map.setPointerCapture(event.pointerId); byMap(event); });
map.addEventListener("pointermove", (event) => { if (event.buttons) byMap(event); });

/* ---- moving ------------------------------------------------------------------------------------------- */

const limit = (value) => Math.max(.01, Math.min(4, value));
function zoomAt(factor, x = wide / 2, y = high / 2) {
  const next = limit(zoom * factor);
  panX = x - (x - panX) * next / zoom; panY = y - (y - panY) * next / zoom; zoom = next;
  later();
}
function fit() {
  const room = high - (el("legend").hidden ? 0 : el("legend").offsetHeight + 14);
  zoom = limit(Math.min((wide - 40) / root.cw, (room - 32) / root.ch, 1.25));
  panX = (wide - root.cw * zoom) / 2; panY = (room - root.ch * zoom) / 2;
  later();
}
const trunk = () => { const kid = root.kids[0]; return kid ? Math.max(wide / 2 / zoom, Math.min(root.cw - wide / 2 / zoom, kid.x + kid.cw / 2)) : 0; };
function begin() {
  zoom = limit(Math.max(Math.min((wide - 40) / root.cw, (high - 40) / root.ch, 1), Math.min(.92, (wide - 24) / root.cw), D.pairs ? .3 : .75));
  panX = root.cw * zoom < wide ? (wide - root.cw * zoom) / 2 : wide / 2 - trunk() * zoom;
  panY = Math.max(16, (high - root.ch * zoom) / 2);
  later();
}
function show(box, centre) {
  for (let b = box.parent; b; b = b.parent) if (!b.open) { b.open = true; touch(b); }
  arrange();
  if (zoom < .5) zoom = .85;
  const [mate] = mates;
  if (mate) { // both models stay in view
    const l = Math.min(box.x, mate.x), r = Math.max(box.x + box.cw, mate.x + mate.cw);
    zoom = limit(Math.min(zoom, (wide - 40) / (r - l)));
    panX = wide / 2 - (l + r) / 2 * zoom;
    const middle = box.y * zoom + panY;
    if (centre || middle < 20 || middle + Math.min(box.ch * zoom, high / 2) > high - 20) panY = high / 2 - (box.y + Math.min(box.ch, high / zoom / 2) / 2) * zoom;
    later();
    return;
  }
  const x = box.x * zoom + panX, y = box.y * zoom + panY, w = box.cw * zoom, h = Math.min(box.ch * zoom, high);
  const low = wide < 500 && !card.hidden ? high * .44 : high;
  if (centre || x < 20 || y < 20 || x + w > wide - 20 || y + h > low - 20) {
    panX = wide / 2 - (box.x + box.cw / 2) * zoom;
    panY = h > low - 80 ? 40 - box.y * zoom : low / 2 - (box.y + box.ch / 2) * zoom;
  }
  later();
}
function at(clientX, clientY) {
  const frame = stage.getBoundingClientRect(), x = (clientX - frame.left - panX) / zoom, y = (clientY - frame.top - panY) / zoom;
  let box = root, found = null;
  while (box) {
    const kid = box.kids.find((k) => x >= k.x && x <= k.x + k.cw && y >= k.y && y <= k.y + k.ch);
    if (kid) found = kid;
    box = kid && kid.open ? kid : null;
  }
  return found && {box: found, x: x - found.x, y: y - found.y};
}
const pointers = new Map();
let moved = 0, pinch = 0;
stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (pointers.size === 1) moved = 0; else { moved = 99; pinch = 0; }
});
stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const dx = event.clientX - before[0], dy = event.clientY - before[1];
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  moved += Math.abs(dx) + Math.abs(dy);
  if (pointers.size === 1) { if (moved > 4) { panX += dx; panY += dy; later(); } return; }
  const [[ax, ay], [bx, by]] = [...pointers.values()], length = Math.hypot(ax - bx, ay - by), frame = stage.getBoundingClientRect();
  panX += dx / 2; panY += dy / 2;
  if (pinch) zoomAt(length / pinch, (ax + bx) / 2 - frame.left, (ay + by) / 2 - frame.top);
  pinch = length;
});
function up(event) {
  if (!pointers.delete(event.pointerId)) return;
  pinch = 0;
  if (moved > 4 || event.type === "pointercancel") return;
  const hit = at(event.clientX, event.clientY);
  if (!hit) { choose(null); return; }
  const {box} = hit, header = box.open ? hit.y < TOP : hit.x < 28;
  if (box.kids.length && (header || (event.pointerType === "touch" && box === selected))) toggle(box);
  choose(box);
}
stage.addEventListener("pointerup", up);
stage.addEventListener("pointercancel", up);
stage.addEventListener("dblclick", (event) => { const hit = at(event.clientX, event.clientY); if (hit && hit.box.kids.length && !(hit.box.open && hit.y < TOP) && hit.x >= 28) toggle(hit.box); });
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const frame = stage.getBoundingClientRect(), unit = event.deltaMode === 1 ? 18 : 1;
  if (event.ctrlKey || event.metaKey) zoomAt(Math.exp(-event.deltaY * unit * .006), event.clientX - frame.left, event.clientY - frame.top);
  else { panX -= (event.shiftKey ? event.deltaY : event.deltaX) * unit; panY -= (event.shiftKey ? 0 : event.deltaY) * unit; later(); }
}, {passive: false});

function toggle(box) {
  if (!box.kids.length || !box.parent) return;
  const x = box.x, y = box.y, w = box.cw;
  box.open = !box.open; touch(box); arrange();
  panX += (x + w / 2 - box.x - box.cw / 2) * zoom; panY += (y - box.y) * zoom;
}
function setAll(open) {
  let left = open ? 20000 : Infinity;
  const queue = [...root.kids];
  for (let i = 0; i < queue.length && left > 0; i++) { const box = queue[i]; if (box.kids.length) { box.open = open; left -= box.kids.length; queue.push(...box.kids); } box.dirty = true; }
  root.dirty = true; arrange(); begin();
}

/* ---- choosing a layer, and its card ------------------------------------------------------------------- */

function make(tag, cls, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}
function button(text, title, act) { const b = make("button", "", text); b.type = "button"; b.title = title; b.setAttribute("aria-label", title); b.addEventListener("click", act); return b; }
function align(box) { // the partner comes to the same height
  const [mate] = mates, side = root.kids[box.side], other = root.kids[1 - box.side];
  for (let b = mate.parent; b; b = b.parent) if (!b.open) { b.open = true; touch(b); }
  for (let b = box.parent; b; b = b.parent) if (!b.open) { b.open = true; touch(b); }
  arrange();
  const apart = (box.y - side.y) - (mate.y - other.y);
  side.lift = Math.max(0, -apart); other.lift = Math.max(0, apart);
  root.dirty = true; const before = box.y; arrange(); panY += (before - box.y) * zoom;
}
function choose(box, centre) {
  selected = box;
  mates = new Set(partners(box));
  if (mates.size) align(box);
  card.hidden = !box;
  if (box) {
    fill(box);
    resize();
    if (centre !== undefined) show(box, centre);
    el("said").textContent = [box.title, box.kind, ...box.lines, ...box.labels.map((label) => label[0])].join(", ");
  } else resize();
  const hash = box ? "#layer=" + encodeURIComponent(box.path || box.title) : " ";
  try { history.replaceState(null, "", hash === " " ? location.pathname + location.search : hash); } catch { /* some viewers forbid it */ }
  later();
}
async function copy(text, b) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = make("textarea"); area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
  }
  const before = b.textContent; b.textContent = "Copied"; setTimeout(() => { b.textContent = before; }, 1200);
}
const heading = (text) => make("h3", "", text);
function axes(rows) {
  if (!rows || !rows.length) return null;
  return make("table", "", make("tbody", "", ...rows.map((row) => make("tr", "", ...row.map((i) => make("td", "", T[i]))))));
}
function told() { // why the call failed
  const {head, rows, operands} = D.wrong, line = (lengths) => lengths.flatMap(([text, wrong]) => [make(wrong ? "b" : "span", wrong ? "clash" : "", text), " "]);
  const row = (label, ...what) => make("tr", "", make("th", "", label), make("td", "", ...what));
  return make("div", "told", make("p", "", make("b", "", head)), make("table", "", make("tbody", "",
    row("operands", ...operands.map(([maker, lengths]) => make("p", "", make("span", "shape", ...line(lengths)), make("span", "quiet", "from " + maker)))),
    ...rows.map(([label, texts]) => row(label, ...texts.map((text) => make("p", label === "fix" && !text.startsWith("(") ? "fix" : "", text)))))),
    button("Copy", "Copy the whole explanation", (event) => copy(D.told, event.currentTarget)));
}
function tensor([name, shape, source, rows]) {
  return make("div", "", make("p", "", make("span", "name", T[name]), " ", make("span", "shape", T[shape]), T[source] ? make("span", "quiet", " from " + T[source]) : null), axes(rows));
}
function weight([name, shape, count, quantized, rows, common, einops, remark]) {
  const node = make("div", "", make("p", "", make("span", "name", T[name]), " ", make("span", "shape", T[shape]), T[count] ? make("span", "quiet", " " + T[count] + " numbers") : null));
  if (T[quantized]) node.append(make("p", "quiet", T[quantized]));
  if (rows.length) node.append(axes(rows));
  if (T[common]) {
    const line = make("div", "common");
    if (T[einops]) { const b = button("Copy", "Copy the einops line", () => copy(T[einops], b)); line.append(b, make("div", "", "common order ", make("code", "", T[common])), make("code", "", T[einops])); }
    else line.append("stored in the common order ", make("code", "", T[common].split(" = ")[0]));
    node.append(line);
  }
  if (T[remark]) node.append(make("p", "quiet", T[remark]));
  return node;
}
/* The pictures of the cards: inflated when the first is asked for; built element by element. */
let album = null;
function pictures() {
  album ??= (async () => {
    const packed = el("pictures").textContent;
    if (!packed || typeof DecompressionStream === "undefined") return [];
    return (await inflated(packed)).split("\0");
  })();
  return album;
}
const SVG = "http://www.w3.org/2000/svg", DRAWN = new Set(["svg", "g", "rect", "line", "path", "text", "tspan", "polygon", "polyline", "circle", "ellipse", "title"]);
function drawing(node) {
  const copy = document.createElementNS(SVG, node.localName);
  for (const {name, value} of node.attributes) if (!/^(on|xmlns|xlink|href|style)/i.test(name)) copy.setAttribute(name, value);
  for (const child of node.childNodes) {
    if (child.nodeType === 3) copy.append(child.data);
    else if (child.nodeType === 1 && DRAWN.has(child.localName)) copy.append(drawing(child));
  }
  return copy;
}
async function picture(number, into) {
  const text = (await pictures())[number];
  if (!text) return;
  const read = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (read.localName !== "svg") return;
  const drawn = drawing(read);
  drawn.style.minWidth = Math.min(540, Number(drawn.getAttribute("width")) || 0) + "px"; // smaller nobody can read it
  const frame = make("div", "drawing", drawn);
  frame.tabIndex = 0; // it may be wider than the card
  into.replaceChildren(heading("Picture"), frame);
}
function fill(box) {
  const data = box.card >= 0 ? D.cards[box.card] : {}, text = (name) => data[name] === undefined ? "" : T[data[name]], list = (name) => (data[name] || []);
  const link = button("Copy link", "Copy link to this layer", () => copy(location.href, link));
  const bar = make("div", "bar", button("‹", "The layer before", () => step(-1)), button("›", "The next layer", () => step(1)),
    box.kids.length && box.parent ? button(box.open ? "Close block" : "Open block", "Open or close the block", () => { toggle(box); fill(box); }) : null, link);
  const leave = button("✕", "Close the card (Escape)", () => { choose(null); stage.focus(); });
  leave.classList.add("end"); bar.append(leave);
  const badge = make("span", "kind", box.kids.length && box.kind === "module" ? "block" : box.kind), [fillColor, stroke] = css.family[box.family];
  badge.style.background = fillColor; badge.style.borderColor = stroke;
  const parts = [bar, make("h2", "", box.path || box.title), badge, text("type") ? make("span", "quiet", text("type")) : null,
    text("settings") ? make("span", "shape", " " + text("settings")) : null, box === failed ? told() : text("about") ? make("p", "", text("about")) : null];
  const facts = [...["parameters", "MACs", "bytes"].map((name, i) => [name, T[box.amounts[i]] || ""]), ["dtype", box.dtype],
    ["receptive field", box.field === null ? "" : box.field === 0 ? "everything" : String(box.field)], [D.column, D.column && box.data !== null ? String(box.data) : ""], ["repeated", box.members.length > 1 ? box.members.length + " times" : ""]].filter((fact) => fact[1]);
  if (facts.length) parts.push(make("div", "facts", ...facts.map(([name, value]) => make("div", "", make("small", "", name), make("b", "", value)))));
  if (box.pair) {
    const [a, b, status, rows] = box.pair, names = [a, b].map((i) => i < 0 ? "none" : T[i]);
    parts.push(heading("Compared"), make("p", "", make("b", "", (MARKS[status] ? MARKS[status] + " " : "") + D.statuses[status]), " · A: ", make("span", "shape", names[0]), " · B: ", make("span", "shape", names[1])),
      make("table", "pairs", make("tbody", "", ...rows.map(([label, what]) => make("tr", "", make("td", "", T[label] === status ? "" : T[label]), make("td", "", T[what]))))));
  } else if (D.pairs && box.counts && Object.keys(box.counts).length) parts.push(heading("Compared"), ...Object.entries(box.counts).map(([name, n]) => make("p", "", MARKS[name] + " " + n + " " + D.statuses[name])));
  for (const i of list("findings")) parts.push(make("p", "finding", T[i]));
  if (box.differences.length) parts.push(heading("Where the repetitions differ"), ...box.differences.map((line) => make("p", "shape", line)));
  else if (box.members.length > 1) parts.push(make("p", "quiet", "All repetitions have the same settings, shapes and weight sizes."));
  if (data.picture !== undefined) { const place = make("div"); parts.push(place); picture(data.picture, place); }
  if (list("in").length) parts.push(heading("Goes in"), ...list("in").map(tensor));
  if (list("weights").length) parts.push(heading("Weights"), ...list("weights").map(weight), text("numbers") ? make("p", "shape", text("numbers")) : null);
  if (list("out").length) parts.push(heading("Comes out"), ...list("out").map(tensor));
  else if (box.labels.length) parts.push(heading("Comes out"), ...box.labels.map(([shape, change]) => make("p", "shape", shape + (change ? "   " + change : ""))));
  if (list("work").length) parts.push(heading("Work"), ...list("work").map((i) => make("p", "shape", T[i])));
  if (list("sees").length) parts.push(heading("Sees of the input"), ...list("sees").map((i) => make("p", "", T[i])));
  if (list("window").length) parts.push(heading("Window"), make("pre", "", list("window").map((i) => T[i]).join("\n")));
  if (list("remarks").length) parts.push(heading("Good to know"), ...list("remarks").map((i) => make("p", "", T[i])));
  if (list("readings").length) { const t = make("table", "readings", make("tbody", "", ...list("readings").map((row) => make("tr", "", ...row.map((i) => make("td", "", T[i])))))); parts.push(t); }
  if (list("notes").length) parts.push(heading("Notes"), ...list("notes").map((i) => make("p", "quiet", T[i])));
  card.replaceChildren(...parts.filter(Boolean));
  card.scrollTop = 0;
}
function visible() { const list = []; const walk = (box) => { for (const kid of box.kids) { list.push(kid); if (kid.open) walk(kid); } }; walk(root); return list; }
function step(by) {
  const list = visible(), place = list.indexOf(selected), next = list[Math.max(0, Math.min(list.length - 1, place + by))];
  if (next) choose(next, false);
}
function resolve(path) {
  if (byPath.has(path)) return byPath.get(path);
  for (const box of all) for (let i = 1; i < box.members.length; i++) {
    const member = box.members[i];
    if (path === member || (path.startsWith(member) && "./".includes(path[member.length]))) return resolve(box.members[0] + path.slice(member.length)) || box;
  }
  return all.find((box) => box.path.startsWith(path + ".") || box.path.startsWith(path + "/")) || all.find((box) => box.title === path) || null;
}
function byHash() {
  const match = /^#layer=(.*)$/.exec(location.hash);
  if (!match) return false;
  let path = match[1];
  try { path = decodeURIComponent(path); } catch { /* as it is */ }
  const box = resolve(path);
  if (box && box !== selected) choose(box, true);
  return Boolean(box);
}

/* ---- searching ---------------------------------------------------------------------------------------- */

const escaped = (text) => text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
/* Lengths in exact fractions, pairs of BigInts; 0n where something divides by 0. */
const fraction = (n, d = 1n) => { let [a, b] = [n, d]; while (b) [a, b] = [b, a % b]; if (d / (a || 1n) < 0n) a = -a; return d && [n / a, d / a]; };
const OPS = {
  "+": ([a, b], [c, d]) => fraction(a * d + c * b, b * d), "-": ([a, b], [c, d]) => fraction(a * d - c * b, b * d),
  "*": ([a, b], [c, d]) => fraction(a * c, b * d), "/": ([a, b], [c, d]) => fraction(a * d, b * c),
  "//": (a, b) => { const at = OPS["/"](a, b); return at && fraction(at[0] / at[1] - (at[0] % at[1] && at[0] < 0n ? 1n : 0n)); },
  "%": (a, b) => { const at = OPS["//"](a, b); return at && OPS["-"](a, OPS["*"](b, at)); },
  min: (a, b) => OPS["-"](a, b)[0] < 0n ? a : b, max: (a, b) => OPS["-"](a, b)[0] < 0n ? b : a,
};
const BINDS = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2}, IDENTIFIER = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;
/* Compile a length as patterns have it or, where it is rich, as shapes are written; null if it is none. */
function formula(text, rich) {
  const tokens = [], find = /(\s*)(\d{1,19}(?!\d)|[\p{ID_Start}_][\p{ID_Continue}.]*|\/\/|[-+*/%(),])/uy, word = (token) => /^[\p{ID_Continue}]/u.test(token || "");
  const made = {names: [], numbers: [], steps: 0, floors: text.includes("//")};
  let next = 0;
  text = text.trimEnd();
  const need = (holds) => { if (!holds) throw text; };
  const operand = () => {
    const token = tokens[next++];
    if (rich && token === "-") { const inner = sum(2); return (at) => OPS["-"]([0n, 1n], inner(at)); }
    if (token === "(") { const inner = sum(1); need(tokens[next++] === ")"); return inner; }
    need(word(token));
    if (rich && tokens[next] === "(") { next++; const a = sum(1); need(tokens[next++] === ","); const b = sum(1); need(tokens[next++] === ")"); return (at) => OPS[token](a(at), b(at)); }
    made.steps++;
    if (/\d/.test(token[0])) { const number = BigInt(token); made.numbers.push(number); return Object.assign(() => [number, 1n], {zero: !number}); }
    need(rich || !token.includes("."));
    if (!made.names.includes(token)) made.names.push(token);
    return (at) => [at(token), 1n];
  };
  const sum = (lowest) => {
    let left = operand();
    while (BINDS[tokens[next]] >= lowest) {
      const sign = tokens[next++], a = left, b = sum(BINDS[sign] + 1);
      need(rich || (sign !== "%" && !(b.zero && sign[0] === "/")));
      made.steps++;
      left = (at) => { const x = a(at), y = x && b(at); return y && OPS[sign](x, y); };
    }
    return left;
  };
  try {
    while (find.lastIndex < text.length) {
      const found = find.exec(text), last = tokens.at(-1);
      need(found);
      if ((word(last) || last === ")") && (word(found[2]) || (found[2] === "(" && !rich))) { need(!rich && found[1]); tokens.push("*"); }
      tokens.push(found[2]);
    }
    need(rich || tokens.length <= 100);
    made.at = sum(1);
    need(next === tokens.length);
    return made;
  } catch { return null; }
}
/* A shape pattern in the language of the pytest plug-in, as a test of a shape; null if the text is none. */
function shapeTest(query) {
  const parts = [];
  let depth = 0, begun = false;
  for (const sign of query) {
    if (!depth && /\s/.test(sign)) { begun = false; continue; }
    if (!begun) parts.push("");
    begun = true;
    parts.push(parts.pop() + sign); depth += (sign === "(") - (sign === ")");
    if (depth < 0) return null;
  }
  const axes = parts.map((text) => {
    if (text === "..." || (text[0] === "*" && IDENTIFIER.test(text.slice(1)))) return {many: true, name: /^\*[^_]/.test(text) ? text.slice(1) : ""};
    if (text[0] === "_" && IDENTIFIER.test(text)) return {};
    const equals = text.indexOf("="), name = equals < 0 ? "" : text.slice(0, equals), length = formula(text === "()" ? "1" : text.slice(equals + 1));
    return length && (equals < 0 || (IDENTIFIER.test(name) && name[0] !== "_")) ? {name, length} : null;
  });
  const many = axes.findIndex((axis) => axis && axis.many), integer = (value) => typeof value === "bigint";
  if (axes.some((axis, i) => !axis || (axis.many && i !== many))) return null;
  let known;
  /* An integer, a fraction, or the text that a name stands for; undefined where that is open. */
  const value = ({at, names, steps}, of) => {
    if (steps === 1 && names[0] in of && !Array.isArray(of[names[0]])) return of[names[0]];
    const found = names.every((name) => integer(of[name])) && at((name) => of[name]);
    return found ? found[1] === 1n ? found[0] : found : undefined;
  };
  /* Compare a text with symbols at a few of their values. */
  const probe = (length, actual) => {
    const texts = [actual, ...length.names.map((name) => known[name])].map((text) => Array.isArray(text) ? null : formula(String(text), true));
    if (!texts.every(Boolean)) return undefined;
    const free = [...new Set(texts.flatMap((text) => text.names))].sort(), base = length.numbers.reduce((a, b) => b > 0n && b < 10000n ? a * b : a, 1n);
    let compared;
    for (const times of [1n, 2n, 3n, 5n, 8n]) for (let more = 0n; more < (length.floors ? 8n : 1n) && more < base; more++) {
      const [is, ...of] = texts.map((text) => text.at((name) => base * (times + BigInt(free.indexOf(name))) + more)), wanted = of.every(Boolean) && length.at((name) => of[length.names.indexOf(name)][0]);
      if (!is || !wanted || wanted[1] !== 1n) continue;
      if (wanted[0] !== is[0]) return false;
      compared = true;
    }
    return compared;
  };
  const solve = (length, actual) => {
    const open = length.names.filter((name) => !(name in known)), [name] = open;
    if (!name) return probe(length, actual);
    if (length.steps === 1) { known[name] = actual; return true; }
    if (length.floors || open.length > 1) return undefined;
    const points = Array.from({length: length.steps + 2}, (_, i) => value(length, {__proto__: null, ...known, [name]: BigInt(i)})).map((v) => integer(v) ? [v, 1n] : v);
    if (!points.every(Boolean)) return undefined;
    const slope = OPS["-"](points[1], points[0]);
    if (!slope[0] || !points.every((point, i) => !OPS["-"](point, OPS["+"](points[0], OPS["*"](slope, [BigInt(i), 1n])))[0])) return undefined;
    const found = integer(actual) && OPS["/"](OPS["-"]([actual, 1n], points[0]), slope);
    if (!found || found[1] !== 1n || found[0] < 0n) return false;
    known[name] = found[0];
    return true;
  };
  const bind = ({name, length}, actual) => {
    if (!length) return true;
    const wanted = value(length, known), fits = wanted === undefined ? solve(length, actual) : wanted === actual && actual !== "?";
    return fits && name ? (known[name] ??= actual) === actual : fits;
  };
  return (shape) => {
    const more = shape.length - axes.length + 1;
    known = Object.create(null);
    if (many < 0 ? more !== 1 : more < 0) return false;
    const lengths = shape.map((length) => /^-?\d+$/.test(length) ? BigInt(length) : length);
    if (many >= 0 && axes[many].name) known[axes[many].name] = lengths.slice(many, many + more);
    let pairs = axes.map((axis, i) => [axis, lengths[many < 0 || i < many ? i : i + more - 1]]).filter(([axis]) => !axis.many);
    for (let before = 0; pairs.length && pairs.length !== before;) { // a name may be bound by a later axis
      before = pairs.length;
      const results = pairs.map((pair) => bind(...pair));
      if (results.includes(false)) return false;
      pairs = pairs.filter((_, i) => !results[i]);
    }
    return !pairs.length;
  };
}
function search() {
  const query = el("search").value.trim();
  for (const box of hits) box.hit = false;
  hits = [];
  if (query) {
    const glob = new RegExp(/[*?]/.test(query) ? "^(?:.*[./])?" + escaped(query).replace(/\*/g, ".*").replace(/\?/g, ".") + "$" : escaped(query), "i");
    const near = /\s/.test(query) ? (text) => text.includes(query) : (text) => text.toLowerCase().includes(query.toLowerCase()), boxes = all.filter((box) => box.parent);
    hits = boxes.filter((box) => glob.test(box.path) || glob.test(box.title) || glob.test(box.kind) || box.members.some((m) => glob.test(m)) || (query.length > 2 && box.labels.some((label) => near(label[0]))));
    const shape = !hits.length && shapeTest(query);
    if (shape) hits = boxes.filter((box) => box.shapes.some(shape));
    if (!hits.length) { const box = resolve(query); if (box) hits = [box]; }
  }
  for (const box of hits) box.hit = true;
  el("found").textContent = query ? (hits.length ? `${hits.length.toLocaleString("en")} found` : "none") : "";
  later();
}
function go(by) {
  if (!hits.length) return;
  const place = hits.indexOf(selected), next = hits[place < 0 ? (by > 0 ? 0 : hits.length - 1) : (place + by + hits.length) % hits.length];
  choose(next, true);
  el("found").textContent = `${hits.indexOf(next) + 1} of ${hits.length.toLocaleString("en")}`;
}
el("search").addEventListener("input", search);
el("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); go(event.shiftKey ? -1 : 1); }
  if (event.key === "Escape") { event.stopPropagation(); el("search").value = ""; search(); stage.focus(); }
});

/* ---- keys and buttons --------------------------------------------------------------------------------- */

function beside(by) { // the next box along the data: down and up
  if (!selected) return root.kids[0];
  const block = selected.parent, list = lines(block).filter((line) => by > 0 ? line.s === selected.index && line.t >= 0 : line.t === selected.index && line.s >= 0);
  if (list.length) return block.kids[by > 0 ? Math.min(...list.map((line) => line.t)) : Math.max(...list.map((line) => line.s))];
  if (block.parent && D.graph) return by > 0 ? (() => { let b = block; while (b.parent) { const l = lines(b.parent).filter((line) => line.s === b.index && line.t >= 0); if (l.length) return b.parent.kids[l[0].t]; b = b.parent; if (!b.parent) break; } return null; })() : block;
  return block.kids[selected.index + by] || (block.parent && by < 0 ? block : null);
}
stage.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const acts = {
    ArrowDown: () => { const box = selected && selected.open && selected.kids[0] || beside(1); if (box) choose(box, false); },
    ArrowUp: () => { const box = beside(-1); if (box) choose(box, false); },
    ArrowRight: () => {
      if (!selected) choose(root.kids[0], false);
      else if (selected.kids.length && !selected.open) { toggle(selected); choose(selected, false); }
      else if (selected.kids.length) choose(selected.kids[0], false);
      else { const next = selected.parent.kids[selected.index + 1]; if (next) choose(next, false); }
    },
    ArrowLeft: () => {
      if (!selected) return;
      if (selected.open) { toggle(selected); choose(selected, false); } else if (selected.parent && selected.parent.parent) choose(selected.parent, false);
      else { const before = selected.parent.kids[selected.index - 1]; if (before) choose(before, false); }
    },
    Enter: () => { if (!selected) choose(root.kids[0], false); else if (selected.kids.length) { toggle(selected); choose(selected, false); } },
    n: () => go(1), p: () => go(-1), o: () => setAll(true), c: () => setAll(false),
    "+": () => zoomAt(1.25), "=": () => zoomAt(1.25), "-": () => zoomAt(.8), "0": fit,
  };
  if (acts[event.key]) { event.preventDefault(); acts[event.key](); }
});
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing) { event.preventDefault(); el("search").focus(); el("search").select(); }
  if (event.key === "Escape" && selected) { choose(null); stage.focus(); }
});
el("next").addEventListener("click", () => go(1));
el("previous").addEventListener("click", () => go(-1));
el("in").addEventListener("click", () => zoomAt(1.25));
el("out").addEventListener("click", () => zoomAt(.8));
el("fit").addEventListener("click", fit);
el("open").addEventListener("click", () => setAll(true));
el("close").addEventListener("click", () => setAll(false));
function repaint() { colors(); scaled(); legend(); mapStale = true; if (selected) fill(selected); later(); }
el("theme").addEventListener("click", () => { document.documentElement.dataset.theme = css.dark ? "light" : "dark"; repaint(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
el("color").addEventListener("change", () => { mode = el("color").value; repaint(); });
addEventListener("hashchange", byHash);

function resize() {
  const frame = stage.getBoundingClientRect(), before = wide;
  if (!frame.width) return;
  ratio = Math.min(window.devicePixelRatio || 1, 2);
  if (frame.width === wide && frame.height === high && canvas.width === Math.round(wide * ratio)) return;
  wide = frame.width; high = frame.height;
  canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio);
  if (before) panX += (wide - before) / 2;
  later();
}
addEventListener("resize", () => { resize(); later(); });
/* On paper: the whole picture, in more points than a screen has; the style keeps its proportions. */
let before = null;
addEventListener("beforeprint", () => {
  before = {wide, high, ratio, zoom, panX, panY};
  wide = 1440; high = 1360; ratio = 2;
  canvas.width = wide * ratio; canvas.height = high * ratio;
  fit(); draw();
});
addEventListener("afterprint", () => {
  if (!before) return;
  ({wide, high, ratio, zoom, panX, panY} = before);
  before = null; mapStale = true;
  canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio);
  resize(); draw();
});

function start() {
  el("title").textContent = D.pairs ? D.title.split(" · ").map((name) => name.split(/[\\/]/).pop()).join(" · ") : D.title.split(/[\\/]/).filter(Boolean).pop() || D.title; el("title").title = D.title;
  el("facts").append(...D.facts.flatMap(([name, value], i) => [i ? " · " : "", make("b", "", value), name && !name.startsWith("f") ? " " + name : ""]).filter(Boolean));
  el("facts").title = el("facts").textContent;
  const ways = [["kind", "kind"], ...Object.entries(NUMBERS), ["dtype", "dtype"]];
  if (D.pairs) ways.unshift(["status", "difference"]);
  if (D.column) ways.push(["data", D.column]);
  el("color").append(...ways.map(([value, text]) => { const option = make("option", "", text); option.value = value; return option; }));
  el("noted").hidden = !D.notes.length;
  el("noted").textContent = D.notes.length === 1 ? "1 note" : D.notes.length + " notes";
  colors();
  if (D.pairs) { mode = "status"; el("color").value = "status"; }
  if (D.column) { mode = "data"; el("color").value = "data"; }
  // A lone block stands open, unless it holds many.
  for (let box = root; !D.pairs && box.kids.filter((kid) => kid.kids.length).length === 1 && box.kids.find((kid) => kid.kids.length).kids.length < (D.graph ? 15 : 121); ) { box = box.kids.find((kid) => kid.kids.length); box.open = true; }
  scaled(); legend();
  layout(root); placeAll(root);
  resize(); begin(); draw();
  if (byHash()) draw(); else if (failed) { choose(failed, true); draw(); }
  document.documentElement.dataset.ready = "yes";
}
start();

/* What is drawn, for tests and for scripts of one's own: read only. */
const state = () => ({
  zoom, panX, panY, drawn, selected: selected && selected.path, found: hits.length, hits: hits.map((box) => box.path),
  boxes: visible().map((box) => ({path: box.path, title: box.title, number: box.number, parent: box.parent.number, open: box.open, x: box.x, y: box.y, w: box.cw, h: box.ch})),
  edges: [root, ...visible()].filter((box) => box.open && box.inner).flatMap((box) => lines(box).map(({points, s, t}) => ({block: box.number, s: s >= 0 ? box.kids[s].number : -1, t: t >= 0 ? box.kids[t].number : -1, x0: box.x + points[0], y0: box.y + points[1], x1: box.x + points[points.length - 3], y1: box.y + points[points.length - 1]}))),
});
window.shapeinspect = Object.freeze({state, draw: () => { const begun = performance.now(); draw(); return performance.now() - begun; }});
})().catch((error) => { document.getElementById("app").hidden = true; throw error; });
