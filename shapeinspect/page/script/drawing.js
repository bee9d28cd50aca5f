/* The picture, on a canvas, and the small map of it. */
let mates = new Set(), zoom = 1, panX = 0, panY = 0, wide = 0, high = 0, ratio = 1, asked = false, selected = null, hits = new Set(), mapStale = true, drawn = 0;
const measured = (text, font) => { ctx.font = font; return ctx.measureText(text).width; };
const cut = new Map();
/* A text as far as it fits. */
function fitted(text, font, room) {
  const key = font + room + text;
  let known = cut.get(key);
  if (known === undefined) {
    known = text;
    if (measured(text, font) > room) {
      let low = 0, top = text.length;
      while (low < top) { const mid = (low + top + 1) >> 1; if (measured(text.slice(0, mid) + "…", font) <= room) low = mid; else top = mid - 1; }
      known = text.slice(0, low) + "…";
    }
    if (cut.size > 20000) cut.clear();
    cut.set(key, known);
  }
  return known;
}
function write(text, font, color, x, y, align = "left") {
  ctx.font = font; ctx.fillStyle = color; ctx.textAlign = align; ctx.textBaseline = "middle";
  ctx.fillText(text, x, y);
}
function stroke(color, width) { ctx.strokeStyle = color; ctx.lineWidth = width; ctx.stroke(); }
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
  for (const kid of box.kids) {
    if (kid.x > view.r || kid.x + kid.cw < view.l - 300 || kid.y > view.b || kid.y + kid.ch + 60 < view.t) continue;
    drawn++;
    ctx.globalAlpha = kid.idle ? .6 : 1;
    if (kid.open) { opened(kid); inside(kid, view); } else if (zoom < .2) speck(kid); else closed(kid);
    ctx.globalAlpha = 1;
    if (zoom >= .6) labels(kid);
  }
}
function trace(points, ox, oy, quick) {
  for (let i = 0; i < points.length; i += 3) {
    const x = points[i] + ox, y = points[i + 1] + oy;
    if (!i) ctx.moveTo(x, y);
    else if (quick) ctx.lineTo(x, y); // from afar without curves
    else bend(points[i - 3] + ox, points[i - 1] + oy, x, y);
    ctx.lineTo(x, points[i + 2] + oy);
  }
}
/* A step with round corners: down, across, down. */
function bend(x0, y0, x1, y1) {
  const mid = (y0 + y1) / 2, across = Math.abs(x1 - x0), down = Math.abs(y1 - y0), r = Math.min(down / 2, across / 2, 14), side = Math.sign(x1 - x0);
  if (across >= .6 && across < 3 * down) { ctx.bezierCurveTo(x0, mid, x1, mid, x1, y1); return; }
  if (across >= .6) {
    ctx.lineTo(x0, mid - r);
    ctx.quadraticCurveTo(x0, mid, x0 + side * r, mid);
    ctx.lineTo(x1 - side * r, mid);
    ctx.quadraticCurveTo(x1, mid, x1, mid + r);
  }
  ctx.lineTo(x1, y1);
}
function wires(box, view) {
  const quick = zoom < .2, ox = box.x, oy = box.y, groups = {plain: [], chosen: [], wrong: []};
  for (const line of lines(box)) {
    if (line.top + oy > view.b || line.bottom + oy < view.t || line.low + ox > view.r || line.high + ox < view.l) continue;
    const wrong = failed && box.via && (!line.from || line.from.via) && line.into && line.into.via;
    groups[wrong ? "wrong" : selected && (line.from === selected || line.into === selected) ? "chosen" : "plain"].push(line);
  }
  const styles = {plain: [css.edge, .7, 1.4], chosen: [css.accent, 2, 2.2], wrong: [(css.family.wrong || [])[1], 2, 2.2]};
  for (const [name, list] of Object.entries(groups)) {
    const [color, far, near] = styles[name];
    if (!list.length) continue;
    ctx.beginPath();
    for (const line of list) trace(line.points, ox, oy, quick);
    stroke(color, quick ? far / zoom : near);
    if (zoom < .3) continue;
    ctx.fillStyle = color;
    ctx.beginPath();
    for (const {points, into} of list) {
      if (!into) continue;
      const x = points.at(-3) + ox, y = points.at(-1) + oy;
      ctx.moveTo(x, y); ctx.lineTo(x - 4, y - 6.5); ctx.lineTo(x + 4, y - 6.5); ctx.closePath();
    }
    ctx.fill();
  }
}
function sheetOf(x, y, w, h, r, color) { ctx.beginPath(); ctx.roundRect(x, y, w, h, r); ctx.fillStyle = color; ctx.fill(); }
const marked = (box) => box === selected || mates.has(box) ? css.accent : hits.has(box) && css.family.act[1];
function border(box, color, width) { const mark = marked(box); if (box.idle) ctx.setLineDash([4, 4]); stroke(mark || color, mark ? Math.max(2.6, 2 / zoom) : width); ctx.setLineDash([]); }
function speck(box) {
  const mark = marked(box);
  ctx.fillStyle = mark || paint(box)[1];
  ctx.globalAlpha *= mark ? 1 : .75;
  ctx.fillRect(box.x, box.y, box.cw, box.ch);
}
function closed(box) {
  const [fill, edge] = paint(box), {x, y, w, h, block} = box, r = block ? 9 : 7, change = marks(box);
  for (let i = block ? box.badge ? 2 : 1 : 0; i; i--) { sheetOf(x + 3 * i, y + 3 * i, w, h, r, css.face); stroke(edge, 1); } // there is something inside
  sheetOf(x, y, w, h, r, block && (mode === "kind" || (mode === "status" && !change)) ? css.face : fill);
  border(box, edge, block ? 1.5 : 1);
  if (zoom < .6) { // from afar the name alone, as large as the box allows
    const text = words(box.title, change), [size, font] = enlarged(h * .62, text, w - 14);
    write(fitted(text, font, w - 14), font, css.ink, x + w / 2, y + h / 2 + size * .04, "center");
    return;
  }
  const left = x + (block ? 26 : 12), badge = words(box.badge, change), taken = badge ? 12 + 8 * badge.length : 0;
  const room = w - (block ? 40 : 24), short = !block && box.lines.length === 1 && h <= HEAD, middle = short ? y + h / 2 + .5 : y + 16;
  if (block) chevron(x + 13, y + 16, false);
  const space = room - taken - (short ? measured(box.lines[0], SMALL) + 10 : 0);
  write(fitted(box.title, NAME, Math.max(space, 30)), NAME, css.ink, left, middle);
  write(badge, NAME, mode === "kind" || mode === "status" ? css.accent : css.ink, x + w - 12, middle, "right");
  if (short) write(box.lines[0], SMALL, css.soft, x + w - 12 - taken, middle, "right");
  else box.lines.forEach((text, i) => write(fitted(text, SMALL, room), SMALL, mode !== "kind" ? css.ink : i ? css.soft : css.strong, left, y + 33 + 16 * i));
}
/* The size and the font of a name that can be read from afar: smaller where it does not fit. */
function enlarged(most, text, room) {
  const size = Math.min(Math.max(13, Math.min(9.5 / zoom, 13 * room / measured(text, NAME))), most);
  return [size, `600 ${size.toFixed(1)}px ${SANS}`];
}
function chevron(x, y, open) {
  const [a, b] = open ? [4, 2.5] : [2.5, 4];
  ctx.beginPath();
  ctx.moveTo(x - a, y - b);
  if (open) ctx.lineTo(x, y + b); else ctx.lineTo(x + a, y);
  ctx.lineTo(open ? x + a : x - a, open ? y - b : y + b);
  stroke(css.soft, 1.8);
}
function opened(box) {
  const {x, y, cw, ch} = box, room = cw - 44;
  sheetOf(x, y, cw, ch, 10, css.block);
  border(box, css.family.module[1], Math.max(1.2, .8 / zoom));
  if (zoom < .25) return;
  chevron(x + 14, y + 16, true);
  const [, font] = enlarged(26, caption(box), room), title = fitted(caption(box), font, room), end = measured(title, font) + 12;
  write(title, font, css.ink, x + 27, y + 16);
  if (room - end > 60 && zoom >= .6 && box.lines.length) write(fitted(box.lines[0], SMALL, room - end), SMALL, css.soft, x + 27 + end, y + 16.5);
}
/* The shapes that come out of a box, beside the edge that leaves it. */
function labels(box) {
  box.labels.forEach(([shape, change], i) => {
    const y = box.y + box.ch + STRIP * (i + 1), lengths = clash(box, shape) || [[shape, false]];
    let x = box.parent.x + port(box, 1) + 9;
    for (const [text, wrong] of [...lengths, [change, change]]) {
      const font = wrong === true ? "700 12px " + MONO : SMALL;
      write(text, font, wrong === true ? css.family.wrong[1] : wrong ? css.accent : css.soft, x, y);
      x += measured(text + " ", font);
    }
  });
}

/* The small map. */
const [chart, lens] = map.children, {width: MAP_W, height: MAP_H} = chart;
let mapScale = 1, mapX = 0, mapY = 0;
function drawMap(view) {
  map.hidden = view.l <= 0 && view.t <= 0 && view.r >= root.cw && view.b >= root.ch;
  if (map.hidden) return;
  if (mapStale) {
    const m = chart.getContext("2d");
    mapStale = false;
    chart.width = MAP_W * ratio; chart.height = MAP_H * ratio;
    mapScale = Math.min((MAP_W - 12) / root.cw, (MAP_H - 12) / root.ch);
    mapX = (MAP_W - root.cw * mapScale) / 2; mapY = (MAP_H - root.ch * mapScale) / 2;
    m.setTransform(ratio * mapScale, 0, 0, ratio * mapScale, ratio * mapX, ratio * mapY);
    for (const box of visible()) {
      m.fillStyle = box.open ? css.line : paint(box)[1];
      m.globalAlpha = box.open ? .45 : .8;
      m.fillRect(box.x, box.y, box.cw, Math.max(box.ch, .8 / mapScale));
    }
  }
  const [left, right] = [view.l, view.r].map((x) => between((mapX + x * mapScale) / MAP_W, 0, 1)), [top, bottom] = [view.t, view.b].map((y) => between((mapY + y * mapScale) / MAP_H, 0, 1));
  lens.style.inset = [top, 1 - right, 1 - bottom, left].map((part) => part * 100 + "%").join(" ");
}
function byMap(event) {
  const frame = map.getBoundingClientRect(), factor = MAP_W / frame.width;
  panX = wide / 2 - ((event.clientX - frame.left) * factor - mapX) / mapScale * zoom;
  panY = high / 2 - ((event.clientY - frame.top) * factor - mapY) / mapScale * zoom;
  later();
}
map.addEventListener("pointerdown", (event) => { event.stopPropagation(); map.setPointerCapture(event.pointerId); byMap(event); });
map.addEventListener("pointermove", (event) => { if (event.buttons) byMap(event); });
