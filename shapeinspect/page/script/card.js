/* The layer that is selected, and its card. */
function make(tag, cls, ...children) {
  const node = document.createElement(tag);
  if (cls) node.className = cls;
  node.append(...children.filter((child) => child || child === 0));
  return node;
}
function button(text, title, act) {
  const made = make("button", "", text);
  made.type = "button"; made.title = title; made.setAttribute("aria-label", title);
  made.addEventListener("click", () => act(made));
  return made;
}
function choose(box, center) {
  selected = box;
  mates = new Set(partners(box));
  if (mates.size) align(box);
  card.hidden = !box;
  if (box) fill(box);
  resize();
  if (box && center !== undefined) show(box, center);
  if (box) el("said").textContent = [box.title, box.kind, ...box.lines, ...box.labels.map((label) => label[0])].join(", ");
  try { history.replaceState(null, "", box ? "#layer=" + encodeURIComponent(box.path || box.title) : location.pathname + location.search); } catch { /* some viewers forbid it */ }
  later();
}
async function copy(text, from) {
  try { await navigator.clipboard.writeText(text); } catch {
    const area = make("textarea"); area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove();
  }
  const before = from.textContent; from.textContent = "Copied"; setTimeout(() => { from.textContent = before; }, 1200);
}
const quiet = (text) => make("span", "quiet", " " + text), shaped = (text) => make("span", "shape", text);
const rowed = (tag, cells) => make("tr", "", ...cells.map((cell, i) => make(i ? "td" : tag, "", ...[cell].flat())));
const table = (cls, rows, tag = "td") => rows && rows.length ? make("table", cls, make("tbody", "", ...rows.map((cells) => rowed(tag, cells)))) : null;
const axes = (rows) => table("", rows && rows.map(texts));
/* Paragraphs under a heading, if there are any. */
const section = (title, parts, cls = "") => parts && parts.length ? [make("h3", "", title), ...parts.map((part) => part.nodeType ? part : make("p", cls, part))] : [];
/* Why the call failed. */
function told() {
  const {head, rows, operands} = D.wrong, line = (lengths) => lengths.flatMap(([text, wrong]) => [make(wrong ? "b" : "span", wrong ? "clash" : "", text), " "]);
  return make("div", "told", make("p", "", make("b", "", head)), table("", [
    ["operands", operands.map(([maker, lengths]) => make("p", "", make("span", "shape", ...line(lengths)), quiet("from " + maker)))],
    ...rows.map(([label, said]) => [label, said.map((text) => make("p", label === "fix" && !text.startsWith("(") ? "fix" : "", text))])], "th"),
    button("Copy", "Copy the whole explanation", (from) => copy(D.told, from)));
}
function tensor([name, shape, source, rows]) {
  return make("div", "", make("p", "", make("span", "name", T[name]), " ", shaped(T[shape]), T[source] && quiet("from " + T[source])), axes(rows));
}
function weight([name, shape, count, quantized, rows, common, einops, remark]) {
  const [order, code] = [T[common], T[einops]], node = tensor([name, shape, "", rows]), note = (text) => text && make("p", "quiet", text);
  node.firstChild.append(T[count] ? quiet(T[count] + " numbers") : "");
  if (T[quantized]) node.firstChild.after(note(T[quantized]));
  if (order) node.append(make("div", "common", ...(code
    ? [button("Copy", "Copy the einops line", (from) => copy(code, from)), make("div", "", "common order ", make("code", "", order)), make("code", "", code)]
    : ["stored in the common order ", make("code", "", order.split(" = ")[0])])));
  node.append(note(T[remark]));
  return node;
}
/* The pictures of the cards: inflated when the first is asked for; built element by element. */
let album = null;
async function pictures() {
  const packed = el("pictures").textContent;
  return packed && typeof DecompressionStream !== "undefined" ? (await inflated(packed)).split("\0") : [];
}
const SVG = "http://www.w3.org/2000/svg", DRAWN = new Set(["svg", "g", "rect", "line", "path", "text", "tspan", "polygon", "polyline", "circle", "ellipse", "title"]);
function drawing(node) {
  const copied = document.createElementNS(SVG, node.localName);
  for (const {name, value} of node.attributes) if (!/^(on|xmlns|xlink|href|style)/i.test(name)) copied.setAttribute(name, value);
  for (const child of node.childNodes) {
    if (child.nodeType === 3) copied.append(child.data);
    else if (DRAWN.has(child.localName)) copied.append(drawing(child));
  }
  return copied;
}
async function picture(number, into) {
  const text = (await (album ??= pictures()))[number], node = text && new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (!node || node.localName !== "svg") return;
  const drawn = drawing(node), frame = make("div", "drawing", drawn);
  drawn.style.minWidth = Math.min(540, Number(drawn.getAttribute("width")) || 0) + "px"; // smaller nobody can read it
  frame.tabIndex = 0; // it may be wider than the card
  into.replaceChildren(...section("Picture", [frame]));
}
function compared(box) {
  const name = (status) => (MARKS[status] ? MARKS[status] + " " : "") + D.statuses[status];
  if (!box.pair) return section("Compared", Object.entries(box.counts).map(([status, n]) => `${MARKS[status]} ${n} ${D.statuses[status]}`));
  const [a, b, status, rows] = box.pair, side = (i) => shaped(i < 0 ? "none" : T[i]);
  return section("Compared", [make("p", "", make("b", "", name(status)), " · A: ", side(a), " · B: ", side(b)),
    table("pairs", rows.map(([label, what]) => [T[label] === status ? "" : T[label], T[what]]))]);
}
function fill(box) {
  const data = D.cards[box.card] || {}, text = (name) => T[data[name]], said = (name) => texts(data[name] || []), each = (name, draw) => (data[name] || []).map(draw);
  const leave = button("✕", "Close the card (Escape)", () => { choose(null); stage.focus(); });
  leave.className = "end";
  const bar = make("div", "bar", button("‹", "The layer before", () => step(-1)), button("›", "The next layer", () => step(1)),
    box.block && box.parent && button(box.open ? "Close block" : "Open block", "Open or close the block", () => { toggle(box); fill(box); }),
    button("Copy link", "Copy link to this layer", (from) => copy(location.href, from)), leave);
  const badge = make("span", "kind", box.block && box.kind === "module" ? "block" : box.kind), [background, borderColor] = css.family[box.family];
  Object.assign(badge.style, {background, borderColor});
  const [params, macs, bytes] = box.amounts, times = box.members.length;
  const facts = Object.entries({parameters: params, MACs: macs, bytes, dtype: box.dtype, "receptive field": box.field === 0 ? "everything" : box.field,
    [D.column]: D.column && box.data, repeated: box.badge && times + " times"}).filter(([, value]) => !missing(value));
  const picked = make("div");
  if (data.picture !== undefined) picture(data.picture, picked);
  const shapes = box.labels.map(([shape, change]) => shape + (change ? "   " + change : ""));
  card.replaceChildren(...[
    bar, make("h2", "", box.path || box.title), badge, text("type") && quiet(text("type")), text("settings") && shaped(" " + text("settings")),
    box === failed ? told() : text("about") && make("p", "", text("about")),
    facts.length && make("div", "facts", ...facts.map(([name, value]) => make("div", "", make("small", "", name), make("b", "", String(value))))),
    ...(D.pairs ? compared(box) : []),
    box.idle && make("p", "quiet", "Not reached: the call failed before it came here."),
    ...said("findings").map((line) => make("p", "finding", line)),
    ...section("Where the repetitions differ", box.differences, "shape"),
    box.badge && !box.differences.length && make("p", "quiet", "All repetitions have the same settings, shapes and weight sizes."),
    picked,
    ...section("Goes in", each("in", tensor)),
    ...section("Weights", each("weights", weight)), text("numbers") && make("p", "shape", text("numbers")),
    ...(data.out ? section("Comes out", data.out.map(tensor)) : section("Comes out", shapes, "shape")),
    ...section("Work", said("work"), "shape"),
    ...section("Sees of the input", said("sees")),
    ...section("Window", data.window && [make("pre", "", said("window").join("\n"))]),
    ...section("Good to know", said("remarks")),
    table("readings", each("readings", texts)),
    ...section("Notes", said("notes"), "quiet"),
  ].filter(Boolean));
  card.scrollTop = 0;
}
/* Every box that is drawn, in order. */
const visible = (box = root) => box.kids.flatMap((kid) => kid.open ? [kid, ...visible(kid)] : [kid]);
function step(by) {
  const list = visible(), next = list[between(list.indexOf(selected) + by, 0, list.length - 1)];
  if (next) choose(next, false);
}
/* The box of a path: its own, that of the repetitions it is one of, one around it, or one with the name. */
function resolve(path) {
  if (byPath.has(path)) return byPath.get(path);
  for (const box of all) for (const member of box.members.slice(1)) {
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
