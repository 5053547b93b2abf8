// A panel for a section that the page has never heard of, from what its plugin declares of it.

import { cut, el, wire } from "../parts/dom.js";
import * as format from "../parts/format.js";
import { level } from "../store/levels.js";
import { bar, figure } from "../parts/parts.js";

const MOST_ROWS = 100;
const MOST_COLUMNS = 12;
const DEEPEST = 4;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isPlain = (value) => value === null || typeof value !== "object";
const below = (path, key) => (path ? `${path}.${key}` : key);

/** Return the panel of a section: `declared` is its description, or undefined. */
export function panel(name, content, declared, rates, at) {
  const title = declared?.title || format.words(name);
  const context = { fields: declared?.fields ?? {}, rates, at, name };
  return el("section", { class: "panel", "aria-label": cut(title) },
    el("h3", {}, wire(title), el("code", {}, wire(name))), ...block(content, "", context, 0));
}

function block(content, path, context, depth) {
  if (depth > DEEPEST) return [note("more in the report below")];
  if (isPlain(content)) return [pairs([[titleOf(path, context, "Value"), content, path, path]], context)];
  if (Array.isArray(content)) return list(content, path, context);
  const keys = Object.keys(content);
  if (!keys.length) return [note("nothing")];
  const inner = keys.map((key) => content[key]);
  if (keys.length > 1 && inner.every(isObject) && inner.every((item) => Object.values(item).every(isPlain))
    && !keys.some((key) => hasFields(below(path, key), context))) {
    return [table(inner, (key) => below(path, key), context, keys)];
  }
  const plain = keys.filter((key) => isPlain(content[key]))
    .map((key) => [titleOf(below(path, key), context, key), content[key], below(path, key)]);
  const nested = keys.filter((key) => !isPlain(content[key]));
  return [
    ...(plain.length ? [pairs(plain, context)] : []),
    ...nested.flatMap((key) => [
      el("h4", {}, wire(titleOf(below(path, key), context, key))),
      ...block(content[key], below(path, key), context, depth + 1),
    ]),
  ];
}

const note = (text) => el("p", { class: "note" }, text);

const hasFields = (path, { fields }) =>
  Object.keys(fields).some((key) => key.startsWith(`${path}.`) || key.startsWith(`${path}[`));

function titleOf(path, { fields }, key) {
  return fields[path]?.title || format.words(key);
}

function list(items, path, context) {
  if (!items.length) return [note("none")];
  if (items.every(isObject)) {
    return [table(items, (key) => `${path}[].${key}`, context)];
  }
  const field = context.fields[`${path}[]`];
  const shown = items.slice(0, MOST_ROWS).map((item) =>
    el("li", {}, shownValue(item, field)));
  return [el("ul", { class: "values" }, ...shown), ...more(items.length)];
}

const more = (length) =>
  (length > MOST_ROWS ? [note(`and ${format.count(length - MOST_ROWS)} more in the report below`)] : []);

/** A table of objects, one a row; `names` are their keys if they have any. */
function table(items, pathOf, context, names) {
  const declared = Object.keys(context.fields)
    .map((path) => path.slice(pathOf("").length))
    .filter((key, index, all) => context.fields[pathOf(key)] && all.indexOf(key) === index);
  const present = new Set(items.flatMap((item) => Object.keys(item)));
  const columns = [...new Set([...declared.filter((key) => present.has(key)), ...present])]
    .slice(0, MOST_COLUMNS);
  const numeric = new Set(columns.filter((key) =>
    items.some((item) => typeof item[key] === "number")));
  const side = (key) => (numeric.has(key) ? "right" : null);
  const head = columns.map((key) =>
    el("th", { scope: "col", class: side(key) }, wire(titleOf(pathOf(key), context, key))));
  const rows = items.slice(0, MOST_ROWS).map((item, index) => el("tr", {},
    ...(names ? [el("th", { scope: "row" }, wire(names[index]))] : []),
    ...columns.map((key) => {
      const field = context.fields[pathOf(key)];
      const where = `${context.name}.${pathOf(key)}#${names ? names[index] : nameOf(item, index)}`;
      return el("td", { class: side(key) }, shownValue(item[key], field, context, where));
    })));
  const holder = el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "table" },
    el("table", {},
      el("thead", {}, el("tr", {}, ...(names ? [el("td")] : []), ...head)),
      el("tbody", {}, ...rows)));
  const rest = more(items.length);
  return rest.length ? el("div", {}, holder, ...rest) : holder;
}

const nameOf = (item, index) => [item.name, item.label, item.pid, index].join("/");

/** Names and values, in two columns. */
function pairs(entries, context) {
  return el("dl", { class: "pairs" }, ...entries.flatMap(([title, value, path]) => {
    const field = context.fields[path];
    return [
      el("dt", {}, wire(title)),
      el("dd", {}, shownValue(value, field, context, `${context.name}.${path}`), meter(value, field)),
    ];
  }));
}

/** A bar for what has a natural end: a share, or a declared level. */
function meter(value, field) {
  const end = field?.unit === "percent" ? 100 : (field?.critical ?? field?.warn) * 1.15;
  if (typeof value !== "number" || !(end > 0)) return null;
  return bar(value / end, level(value, field));
}

function shownValue(value, field, context, where) {
  if (!isPlain(value)) return wire(cut(JSON.stringify(value), 80));
  if (typeof value !== "number") return wire(format.value(value, field), { class: "text" });
  const shown = figure(format.value(value, field), level(value, field));
  if (field?.kind === "counter" && context) {
    const rate = context.rates.of(where, value, context.at);
    if (rate !== null) {
      return el("span", {}, shown, el("span", { class: "rate" }, `${format.counterRate(rate, field)}`));
    }
  }
  return shown;
}
