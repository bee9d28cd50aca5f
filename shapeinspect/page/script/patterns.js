/* Shape patterns, in the language of the pytest plug-in. */

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
  const need = (holds) => { if (!holds) throw text; }, past = (sign) => need(tokens[next++] === sign);
  const operand = () => {
    const token = tokens[next++];
    if (rich && token === "-") { const inner = sum(2); return (at) => OPS["-"]([0n, 1n], inner(at)); }
    if (token === "(") { const inner = sum(1); past(")"); return inner; }
    need(word(token));
    if (rich && tokens[next] === "(") { next++; const a = sum(1); past(","); const b = sum(1); past(")"); return (at) => OPS[token](a(at), b(at)); }
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
/* A pattern as a test of a shape; null if the text is none. */
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
    if (!texts.every(Boolean)) return;
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
    if (length.floors || open.length > 1) return;
    const points = Array.from({length: length.steps + 2}, (_, i) => value(length, {__proto__: null, ...known, [name]: BigInt(i)})).map((v) => integer(v) ? [v, 1n] : v);
    if (!points.every(Boolean)) return;
    const slope = OPS["-"](points[1], points[0]);
    if (!slope[0] || !points.every((point, i) => !OPS["-"](point, OPS["+"](points[0], OPS["*"](slope, [BigInt(i), 1n])))[0])) return;
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
