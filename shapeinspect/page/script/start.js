/* Keys, buttons, the window's size, paper, and the start. */

/* The next box along the data: down (1) and up (-1). */
function beside(by) {
  if (!selected) return root.kids[0];
  for (let box = selected; box.parent; box = box.parent) {
    const block = box.parent, ends = lines(block).map((line) => by > 0 ? line.from === box && line.into : line.into === box && line.from).filter(Boolean).map((end) => end.index);
    if (ends.length) return block.kids[by > 0 ? Math.min(...ends) : Math.max(...ends)];
    if (!D.graph || !block.parent) return block.kids[box.index + by] || (by < 0 && block.parent ? block : null);
    if (by < 0) return block;
  }
  return null;
}
stage.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const pick = (box) => { if (box) choose(box, false); }, turn = () => { toggle(selected); pick(selected); }, {block, open, kids, parent, index} = selected || {};
  const acts = {
    ArrowDown: () => pick((open && kids[0]) || beside(1)),
    ArrowUp: () => pick(beside(-1)),
    ArrowRight: () => { if (block && !open) turn(); else pick(!selected ? root.kids[0] : block ? kids[0] : parent.kids[index + 1]); },
    ArrowLeft: () => { if (open) turn(); else if (selected) pick(parent.parent ? parent : parent.kids[index - 1]); },
    Enter: () => { if (block) turn(); else if (!selected) pick(root.kids[0]); },
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
function repaint() { colors(); scaled(); legend(); mapStale = true; if (selected) fill(selected); later(); }
const clicks = {
  next: () => go(1), previous: () => go(-1), in: () => zoomAt(1.25), out: () => zoomAt(.8), fit, open: () => setAll(true), close: () => setAll(false),
  theme: () => { document.documentElement.dataset.theme = css.dark ? "light" : "dark"; repaint(); },
};
for (const [name, act] of Object.entries(clicks)) el(name).addEventListener("click", act);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
el("color").addEventListener("change", () => { mode = el("color").value; repaint(); });
addEventListener("hashchange", byHash);

function sized(w, h, dots) { wide = w; high = h; ratio = dots; mapStale = true; canvas.width = Math.round(w * dots); canvas.height = Math.round(h * dots); }
function resize() {
  const {width, height} = stage.getBoundingClientRect(), before = wide, dots = Math.min(devicePixelRatio || 1, 2);
  if (!width || (width === wide && height === high && dots === ratio)) return;
  sized(width, height, dots);
  if (before) panX += (wide - before) / 2;
  later();
}
addEventListener("resize", resize);
/* On paper: the whole picture, in more points than a screen has; the style keeps its proportions. */
let screen = null;
addEventListener("beforeprint", () => {
  screen = [wide, high, ratio, zoom, panX, panY];
  sized(1440, 1360, 2); fit(); draw();
});
addEventListener("afterprint", () => {
  if (!screen) return;
  sized(...screen);
  [zoom, panX, panY] = screen.slice(3);
  screen = null;
  resize(); draw();
});

const last = (path) => path.split(/[\\/]/).filter(Boolean).pop() || path;
el("title").textContent = D.pairs ? D.title.split(" · ").map(last).join(" · ") : last(D.title);
el("title").title = D.title;
el("facts").append(...D.facts.flatMap(([name, value], i) => [i ? " · " : "", make("b", "", value.replace(/ (?=\D{1,2}$)/, "\xa0")), name && !name.startsWith("f") ? " " + name : ""]));
el("facts").title = el("facts").textContent;
const choices = {...(D.pairs && {status: "difference"}), kind: "kind", ...NUMBERS, dtype: "dtype", ...(D.column && {data: D.column})};
el("color").append(...Object.entries(choices).map(([value, text]) => new Option(text, value)));
mode = el("color").value = D.column ? "data" : D.pairs ? "status" : "kind";
el("noted").hidden = !D.notes.length;
el("noted").textContent = D.notes.length === 1 ? "1 note" : D.notes.length + " notes";
colors(); scaled(); legend();
// A lone block stands open, unless it holds many.
for (let box = root, blocks; !D.pairs; box.open = true) {
  blocks = box.kids.filter((kid) => kid.block);
  if (blocks.length !== 1 || blocks[0].kids.length > (D.graph ? 14 : 120)) break;
  [box] = blocks;
}
layout(root); placeAll(root);
resize(); begin(); draw();
if (byHash()) draw(); else if (failed) { choose(failed, true); draw(); }
document.documentElement.dataset.ready = "yes";

/* What is drawn, for tests and for scripts of one's own: read only. */
const state = () => ({
  zoom, panX, panY, drawn, selected: selected && selected.path, found: hits.size, hits: [...hits].map((box) => box.path),
  boxes: visible().map(({path, title, number, parent, open, x, y, cw, ch}) => ({path, title, number, parent: parent.number, open, x, y, w: cw, h: ch})),
  edges: [root, ...visible()].filter((box) => box.open).flatMap((box) => lines(box).map(({points, from, into}) => (
    {block: box.number, s: from ? from.number : -1, t: into ? into.number : -1, x0: box.x + points[0], y0: box.y + points[1], x1: box.x + points.at(-3), y1: box.y + points.at(-1)}))),
});
window.shapeinspect = Object.freeze({state});
