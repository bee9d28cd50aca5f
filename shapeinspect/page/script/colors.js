/* What the colors mean. */
let css = {}, mode = "kind", scale = null;
function colors() {
  const style = getComputedStyle(document.documentElement), value = (name) => style.getPropertyValue("--" + name).trim();
  css = {dark: style.colorScheme.includes("dark"), family: {}};
  for (const name of ["back", "face", "ink", "soft", "line", "edge", "strong", "accent", "block"]) css[name] = value(name);
  for (const name of Object.keys(D.families)) css.family[name] = [value(name), value(name + "-s")];
}
const NUMBERS = {params: "parameters", macs: "MACs", bytes: "bytes", field: "receptive field"};
const TURNS = ["conv", "act", "pool", "attention", "embedding", "recurrent", "linear", "math", "join", "shape", "norm"];
function amount(n) {
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) if (n >= size) return (n / size).toPrecision(3) + " " + unit;
  return String(Math.round(n * 1e4) / 1e4);
}
const missing = (value) => value === null || value === "" || value === undefined;
function scaled() {
  scale = null;
  if (mode === "kind" || mode === "status") return;
  const values = all.filter((box) => !box.block && box.kind !== "input" && box.kind !== "output").map((box) => box[mode]).filter((value) => !missing(value));
  if (mode === "dtype" || values.some((value) => typeof value === "string")) {
    scale = {hues: new Map([...new Set(values.map(String))].sort().map((word, i) => [word, css.family[TURNS[i % TURNS.length]]]))};
    return;
  }
  const own = mode === "data", known = values.filter((value) => value > 0 || own);
  const low = known.reduce((a, b) => Math.min(a, b), Infinity), high = known.reduce((a, b) => Math.max(a, b), -Infinity);
  scale = {low, high, log: !own || (low > 0 && high > 50 * low)};
}
function ramp(part) {
  const p = between(part, 0, 1), light = css.dark ? 18 + 22 * p : 97 - 27 * p;
  return [`hsl(212 ${45 + 35 * p}% ${light}%)`, `hsl(212 ${40 + 20 * p}% ${css.dark ? light + 16 : light - 30}%)`];
}
function paint(box) {
  if (mode === "status") return css.family[HUES[box.pair ? box.pair[2] : Object.keys(box.counts)[0] || "same"]];
  if (mode === "kind") return css.family[box.family];
  const value = box[mode], none = [css.face, css.line];
  if (missing(value)) return none;
  if (scale.hues) return scale.hues.get(String(value)) || none;
  if (mode === "field" && value === 0) return ramp(1);
  if (mode !== "data" && !value) return none;
  const {low, high, log} = scale;
  return ramp(high <= low ? .5 : log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
}
function legend() {
  const node = el("legend"), used = new Set(all.map((box) => box.family));
  const list = mode === "kind" ? Object.entries(D.families).filter(([name]) => used.has(name) && name !== "module" && name !== "end").map(([name, text]) => [css.family[name], text])
    : mode === "status" ? Object.entries(D.statuses).map(([name, text]) => [css.family[HUES[name]], words(MARKS[name], text)])
    : scale.hues ? [...scale.hues].map(([word, hue]) => [hue, word]) : [];
  const key = (cls, background, borderColor) => { const mark = make("i", cls); Object.assign(mark.style, {background, borderColor}); return mark; };
  node.replaceChildren(...list.slice(0, 24).map(([[fill, stroke], text]) => make("span", "", key("", fill, stroke), text)));
  if (list.length > 24) node.append(make("span", "", `and ${list.length - 24} more`));
  if (scale && scale.high >= scale.low) {
    const bar = key("ramp", `linear-gradient(90deg,${[0, .25, .5, .75, 1].map((p) => ramp(p)[0]).join(",")})`, css.line);
    const name = mode === "data" ? D.column : NUMBERS[mode] + (mode === "macs" && D.usual ? ` if every open length were ${D.usual}` : "");
    node.append(make("span", "", name, " ", amount(scale.low), bar, amount(scale.high) + (mode === "field" ? " or all" : "")));
  }
  node.hidden = !node.childNodes.length;
  node.tabIndex = node.scrollWidth > node.clientWidth ? 0 : -1;
}
