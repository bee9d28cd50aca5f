/* Panning, zooming, opening and closing. */
const limit = (value) => between(value, .01, 4);
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
function begin() {
  zoom = limit(Math.max(Math.min((wide - 40) / root.cw, (high - 40) / root.ch, 1), Math.min(.92, (wide - 24) / root.cw), D.pairs ? .3 : .75));
  const [first] = root.kids, half = wide / 2 / zoom;
  panX = wide / 2 - (root.cw < 2 * half || !first ? root.cw / 2 : between(first.x + first.cw / 2, half, root.cw - half)) * zoom;
  panY = Math.max(16, (high - root.ch * zoom) / 2);
  later();
}
function show(box, center) {
  reveal(box); arrange();
  if (zoom < .5) zoom = .85;
  const [mate] = mates;
  let l = box.x, r = box.x + box.cw, low = wide < 500 && !card.hidden ? high * .44 : high; // above the card of a narrow screen
  if (mate) { // both models stay in view
    l = Math.min(l, mate.x); r = Math.max(r, mate.x + mate.cw);
    zoom = limit(Math.min(zoom, (wide - 40) / (r - l)));
  }
  const y = box.y * zoom + panY, h = Math.min(box.ch * zoom, high), out = l * zoom + panX < 20 || r * zoom + panX > wide - 20;
  if (center || out || mate) panX = wide / 2 - (l + r) / 2 * zoom;
  if (center || out || y < 20 || y + h > low - 20) panY = h > low - 80 ? 40 - box.y * zoom : low / 2 - (box.y + box.ch / 2) * zoom;
  later();
}
function at({clientX, clientY}) {
  const frame = stage.getBoundingClientRect(), x = (clientX - frame.left - panX) / zoom, y = (clientY - frame.top - panY) / zoom;
  let found = null;
  for (let box = root; box && box.open;) {
    box = box.kids.find((kid) => x >= kid.x && x <= kid.x + kid.cw && y >= kid.y && y <= kid.y + kid.ch);
    found = box || found;
  }
  return found && {box: found, header: found.open ? y - found.y < TOP : x - found.x < 28};
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
  const dx = event.clientX - before[0], dy = event.clientY - before[1], fingers = pointers.size;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  moved += Math.abs(dx) + Math.abs(dy);
  if (moved <= 4) return;
  panX += dx / fingers; panY += dy / fingers;
  later();
  if (fingers === 1) return;
  const [[ax, ay], [bx, by]] = pointers.values(), length = Math.hypot(ax - bx, ay - by), frame = stage.getBoundingClientRect();
  if (pinch) zoomAt(length / pinch, (ax + bx) / 2 - frame.left, (ay + by) / 2 - frame.top);
  pinch = length;
});
function up(event) {
  if (!pointers.delete(event.pointerId)) return;
  pinch = 0;
  if (moved > 4 || event.type === "pointercancel") return;
  const {box = null, header} = at(event) || {};
  if (box && (header || (event.pointerType === "touch" && box === selected))) toggle(box);
  choose(box);
}
stage.addEventListener("pointerup", up);
stage.addEventListener("pointercancel", up);
stage.addEventListener("dblclick", (event) => { const {box, header} = at(event) || {}; if (box && !header) toggle(box); });
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const frame = stage.getBoundingClientRect(), unit = event.deltaMode === 1 ? 18 : 1, {deltaX, deltaY, shiftKey} = event;
  if (event.ctrlKey || event.metaKey) zoomAt(Math.exp(-deltaY * unit * .006), event.clientX - frame.left, event.clientY - frame.top);
  else { panX -= (shiftKey ? deltaY : deltaX) * unit; panY -= (shiftKey ? 0 : deltaY) * unit; later(); }
}, {passive: false});

function toggle(box) {
  if (!box.block || !box.parent) return;
  const {x, y, cw} = box;
  box.open = !box.open; touch(box); arrange();
  panX += (x + cw / 2 - box.x - box.cw / 2) * zoom; panY += (y - box.y) * zoom;
}
function setAll(open) {
  let left = open ? 20000 : Infinity;
  const queue = [...root.kids];
  for (const box of queue) {
    if (left <= 0) break;
    if (box.block) { box.open = open; left -= box.kids.length; queue.push(...box.kids); }
    box.dirty = true;
  }
  root.dirty = true; arrange(); begin();
}
/* A box's partner comes to the same height. */
function align(box) {
  const [mate] = mates, side = root.kids[box.side], other = root.kids[1 - box.side];
  reveal(mate); reveal(box); arrange();
  const apart = (box.y - side.y) - (mate.y - other.y), before = box.y;
  side.lift = Math.max(0, -apart); other.lift = Math.max(0, apart);
  root.dirty = true; arrange(); panY += (before - box.y) * zoom;
}
