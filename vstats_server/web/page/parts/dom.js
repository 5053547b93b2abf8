// Making and patching elements. Strings become text, never markup.

const SVG = "http://www.w3.org/2000/svg";
const LONGEST = 300;

/** Return an element; `style` is an object of CSS properties, children are nodes or strings. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, { style, ...attributes }, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  // Through the object model: the policy forbids the attribute.
  for (const [name, value] of Object.entries(style ?? {})) element.style.setProperty(name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** One of the page's signs. */
export const icon = (name) =>
  svg("svg", { class: `icon icon-${name}`, "aria-hidden": "true" }, svg("use", { href: `#${name}` }));

/** Text for those who hear the page. */
export const spoken = (text) => el("span", { class: "spoken" }, text);

/** Text of the wire, cut where nobody reads on; its direction ends with it. */
export function wire(text, attributes = {}) {
  return el("bdi", attributes, cut(text));
}

export function cut(text, longest = LONGEST) {
  const whole = String(text);
  return whole.length > longest ? `${whole.slice(0, longest)}…` : whole;
}

/** Write a text, or an attribute, only if it is another than last time: reading is not free. */
export function setText(element, text) {
  if (element.shown !== text) {
    element.shown = text;
    element.textContent = text;
  }
}

export function setAttribute(element, name, value) {
  const key = `shown ${name}`;
  if (element[key] !== value) {
    element[key] = value;
    element.setAttribute(name, value);
  }
}

/** Make `old` look like `fresh` with as few changes as can be, so that focus, selection and
 * what is folded open stay. Neither may have listeners below it. */
export function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (name !== "open" && name !== "style" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.style.cssText !== fresh.style.cssText) old.style.cssText = fresh.style.cssText;
  const children = [...fresh.childNodes];
  const before = [...old.childNodes];
  children.forEach((child, index) => {
    if (before[index]) morph(before[index], child);
    else old.append(child);
  });
  for (const extra of before.slice(children.length)) extra.remove();
}
