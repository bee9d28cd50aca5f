/* Searching by name, kind, shape or pattern. */
function search() {
  const query = el("search").value.trim(), plain = query.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  let found = [];
  if (query) {
    const glob = new RegExp(/[*?]/.test(query) ? "^(?:.*[./])?" + plain.replace(/\*/g, ".*").replace(/\?/g, ".") + "$" : plain, "i");
    const near = (text) => /\s/.test(query) ? text.includes(query) : text.toLowerCase().includes(query.toLowerCase()), boxes = all.filter((box) => box.parent);
    found = boxes.filter((box) => [box.path, box.title, box.kind, ...box.members].some((text) => glob.test(text)) || (query.length > 2 && box.labels.some((label) => near(label[0]))));
    const shape = !found.length && shapeTest(query);
    if (shape) found = boxes.filter((box) => box.shapes.some(shape));
    if (!found.length) found = [resolve(query)].filter(Boolean);
  }
  hits = new Set(found);
  el("found").textContent = !query ? "" : hits.size ? `${hits.size.toLocaleString("en")} found` : "none";
  later();
}
function go(by) {
  const list = [...hits], place = list.indexOf(selected), index = place < 0 ? by < 0 ? list.length - 1 : 0 : place + by + list.length;
  if (!list.length) return;
  choose(list.at(index % list.length), true);
  el("found").textContent = `${list.indexOf(selected) + 1} of ${list.length.toLocaleString("en")}`;
}
el("search").addEventListener("input", search);
el("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { event.preventDefault(); go(event.shiftKey ? -1 : 1); }
  if (event.key === "Escape") { event.stopPropagation(); el("search").value = ""; search(); stage.focus(); }
});
