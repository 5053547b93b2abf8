// What rows, cards and the detail view have in common: numbers, bars, lines, tags, states.

import { el, icon, setAttribute, setText, spoken, svg, wire } from "./dom.js";
import { write } from "./address.js";
import { draw } from "../store/history.js";
import { SIGNS, WORDS } from "../store/levels.js";
import { STATES } from "../store/store.js";

const SPANS = new Set(["d", "h", "min", "s"]);

/** A number with its unit in smaller type, and a sign when it needs attention. */
export class Figure {
  constructor() {
    this.number = el("span", { class: "number" });
    this.unit = el("span", { class: "unit" });
    this.sign = el("span", { class: "sign", "aria-hidden": "true" });
    this.word = spoken("");
    this.element = el("span", { class: "figure" }, this.sign, this.number, this.unit, this.word);
  }

  set(text, level = 0) {
    const [number, unit] = split(text);
    setText(this.number, number);
    setText(this.unit, unit);
    setText(this.sign, SIGNS[level]);
    setText(this.word, level ? `, ${WORDS[level]}` : "");
    setAttribute(this.element, "data-level", level);
    return this;
  }
}

/** Part "1.50 KiB/s" into number and unit; days and hours stay whole, since there may be both. */
function split(text) {
  const parts = text.split("\u00a0");
  return parts.length === 2 && !SPANS.has(parts[1]) ? [parts[0], `\u00a0${parts[1]}`] : [text, ""];
}

export const figure = (text, level = 0) => new Figure().set(text, level).element;

/** A bar of a share; what a screen reader needs is in the number beside it. */
export class Bar {
  constructor() {
    this.element = el("span", { class: "bar", "aria-hidden": "true" });
  }

  set(share, level = 0) {
    const shown = share === null ? "0" : Math.min(1, Math.max(0, share)).toFixed(3);
    if (this.shown !== shown) {
      this.shown = shown;
      this.element.style.setProperty("--share", shown);
    }
    setAttribute(this.element, "data-level", level);
    return this;
  }
}

export const bar = (share, level = 0) => new Bar().set(share, level).element;

/** A line of the last reports, in a box of its own coordinates. */
export class Line {
  constructor(width, height, kind = "") {
    this.size = { width, height };
    this.area = svg("path", { class: "area" });
    this.line = svg("path", { class: "line" });
    this.element = svg("svg", {
      class: `spark ${kind}`, viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none",
      "aria-hidden": "true",
    }, this.area, this.line);
  }

  set(points, key, interval, top) {
    const { line, area } = draw(points, key, { ...this.size, interval, top });
    setAttribute(this.line, "d", line);
    setAttribute(this.area, "d", area);
    return this;
  }
}

export const stateIcon = (state) => icon(`state-${state}`);
export const stateWord = (state) => STATES[state];

/** The tags of a host: each leads to all that have it. */
export function tagList(tags) {
  return tags.map((tag) => {
    const q = /[\s"]/.test(tag) ? `tag:"${tag.replaceAll('"', "")}"` : `tag:${tag}`;
    const state = { host: "", show: "all", q, sort: { key: "", upwards: false }, view: "" };
    return wireLink(tag, write(state));
  });
}

const wireLink = (text, href) =>
  el("a", { class: "tag", href, tabindex: "-1" }, wire(text));
