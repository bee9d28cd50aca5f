/* The contrast of two colors, after WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio. */
const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
const numbers = (color) => {
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = color;
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data];
};
const luminance = (color) => {
  const parts = numbers(color).slice(0, 3).map((part) => part / 255);
  const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

/* Every text of the page that is shown, with its contrast to what is behind it. */
const texts = () => {
  const found = [];
  const behind = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const ground = n.matches("svg") && n.querySelector(".ground");
      if (ground) return getComputedStyle(ground).fill;
      const color = getComputedStyle(n).backgroundColor;
      if (numbers(color)[3] > 240) return color;
    }
    return "white";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
    if (!text || !node.checkVisibility() || node.closest("script, style, noscript, option")) continue;
    const style = getComputedStyle(node), color = node.closest("svg") ? style.fill : style.color;
    found.push([text.slice(0, 40), contrast(color, behind(node)), Number(style.opacity)]);
  }
  const field = document.getElementById("search"), hint = getComputedStyle(field, "::placeholder");
  found.push(["the hint of the search", contrast(hint.color, getComputedStyle(field).backgroundColor), 1]);
  return found;
};

/* What the picture is drawn with: each text on each ground that it stands on, and the borders of boxes. */
const colors = (families) => {
  const style = getComputedStyle(document.documentElement), found = [];
  const check = (name, ground, least) => {
    const [one, other] = [name, ground].map((part) => style.getPropertyValue("--" + part).trim());
    found.push([`${name} on ${ground}`, contrast(one, other), least]);
  };
  const grounds = ["back", "face", "block"];
  for (const ground of [...grounds, ...families]) for (const name of ["ink", "soft", "strong"]) check(name, ground, 4.5);
  for (const ground of [...grounds, "wrong"]) check("accent", ground, 4.5);
  for (const ground of grounds) {
    check("wrong-s", ground, 4.5);
    check("edge", ground, 3);
    for (const name of families) check(name + "-s", ground, 3);
  }
  return found;
};

/* Buttons, fields, links and parts of the page that say nothing to a screen reader. */
const nameless = () => {
  const labels = (node) => [...(node.labels || [])].map((label) => label.textContent.trim()).join("");
  const named = (node) => node.getAttribute("aria-label") || node.textContent.trim() || labels(node);
  const all = [...document.querySelectorAll("button, select, input, a, aside, [role]")];
  return all.filter((node) => !named(node)).map((node) => node.outerHTML);
};

/* How many elements move on their own. */
const moving = () => [...document.querySelectorAll("*")].map((node) => getComputedStyle(node)).filter((style) =>
  style.animationName !== "none" || parseFloat(style.transitionDuration) > 0 || style.scrollBehavior === "smooth").length;

/* What has the focus: its name, the style and width of its frame, its tag. */
const focused = () => {
  const node = document.activeElement, style = getComputedStyle(node);
  const name = node.id || node.getAttribute("aria-label") || node.className || node.textContent;
  return [name, style.outlineStyle, parseFloat(style.outlineWidth), node.tagName];
};
