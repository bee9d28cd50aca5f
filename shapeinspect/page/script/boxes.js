/* The boxes of a page, as its data holds them. */
const el = (id) => document.getElementById(id);
async function inflated(packed) {
  const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}
const held = el("data"), D = JSON.parse(held.type === "text/plain" ? await inflated(held.textContent) : held.textContent);
const T = D.texts, texts = (numbers) => numbers.map((i) => T[i]);
const FIELDS = ["title", "path", "kind", "family", "lines", "labels", "w", "h", "card", "place", "kids",
  "members", "differences", "params", "macs", "bytes", "dtype", "field", "data", "amounts", "shapes"];
const all = [], byPath = new Map();

function read(raw, parent, index, side) {
  const box = {parent, index, side, number: all.length, pair: null, counts: {}, open: !parent, x: 0, y: 0, cw: 0, ch: 0};
  FIELDS.forEach((name, i) => { box[name] = raw[i]; });
  for (const name of ["title", "path", "kind", "family", "dtype"]) box[name] = T[box[name]];
  for (const name of ["lines", "members", "differences", "amounts"]) box[name] = texts(box[name]);
  box.labels = box.labels.map(texts);
  all.push(box);
  if (!byPath.has(box.path)) byPath.set(box.path, box);
  box.kids = box.kids.map((kid, i) => read(kid, box, i, D.pairs && !parent ? i : side));
  box.block = box.kids.length > 0;
  box.badge = box.members.length > 1 ? "×" + box.members.length : "";
  return box;
}
const root = read(D.root, null, 0, -1);
function* above(box) { for (let b = box; b; b = b.parent) yield b; }

/* The layer that refused its input, where the page says why a call failed, and the way to it. */
const failed = D.wrong && all.findLast((box) => box.path === T[D.failed] || box.members.includes(T[D.failed]));
if (failed) {
  failed.family = "wrong";
  const via = new Set(texts(D.wrong.via));
  for (const box of all) if (via.has(box.path) && !box.block) for (const b of above(box)) b.via = true;
  const idle = new Set(texts(D.wrong.unreached));
  for (const box of [...all].reverse()) box.idle = box.block ? box.kids.every((kid) => kid.idle) : idle.has(box.path);
}
/* The lengths of an operand of the layer that refused, those that clash marked; nothing for any other shape. */
function clash(box, shape) {
  const found = failed && D.wrong.operands.find(([maker, lengths]) => (box.block ? maker.startsWith(box.path) : maker === box.path) && lengths.map((l) => l[0]).join(" ") === shape);
  return found && found[1].some((l) => l[1]) && found[1];
}

/* Two models: the pair of each box, and how many layers of a block have which status. */
const MARKS = {differs: "≠", only_a: "−", only_b: "+", ambiguous: "?"}, HUES = {same: "norm", differs: "act", only_a: "recurrent", only_b: "pool", ambiguous: "linear"};
const pairs = D.pairs && [0, 1].map((side) => new Map(D.pairs.map((pair) => [T[pair[side]], pair])));
function compare(box) {
  const add = (name, n) => { box.counts[name] = (box.counts[name] || 0) + n * Math.max(1, box.members.length); };
  if (box.side >= 0 && !box.block) box.pair = pairs[box.side].get(box.path) || null;
  if (box.pair && box.pair[2] !== "same") add(box.pair[2], 1);
  for (const kid of box.kids) for (const [name, n] of Object.entries(compare(kid))) add(name, n);
  return box.counts;
}
if (pairs) {
  compare(root);
  for (const kid of root.kids) { kid.open = kid.block; kid.lift = 0; }
}
function partners(box) {
  const path = box && box.pair ? box.pair[1 - box.side] : -1;
  return path < 0 ? [] : all.filter((other) => other.side === 1 - box.side && other.path === T[path]);
}
const marks = (box) => Object.entries(box.counts).map(([name, n]) => MARKS[name] + (box.block ? n : "")).join(" ");
const words = (...parts) => parts.filter(Boolean).join("  ");
