// All hosts: rows by key, in order; only what can be seen is kept up to date at once.

import { el, setAttribute } from "../parts/dom.js";
import { COLUMNS, Row } from "./row.js";

const UNSEEN = 5000;
/** Milliseconds that a row outside the window may lag. */

export class List {
  /** `stateOf` and `seenAgo` tell of a host; `onSort(key)` is called for a click on a column. */
  constructor({ stateOf, seenAgo, onSort }) {
    this.stateOf = stateOf;
    this.seenAgo = seenAgo;
    this.rows = new Map();
    this.shown = [];
    this.seen = new Set();
    this.heads = new Map();
    this.body = el("div", { class: "rows", role: "rowgroup" });
    this.element = el("div", { class: "list", role: "table", "aria-label": "Hosts" },
      el("div", { class: "heads", role: "rowgroup" },
        el("div", { class: "row head", role: "row" },
          ...COLUMNS.map(([key, title]) => this.#head(key, title, onSort)))), this.body);
    // The browser knows which rows it draws (content-visibility); asking it costs nothing.
    this.body.addEventListener("contentvisibilityautostatechange", ({ target, skipped }) => {
      if (skipped) {
        this.seen.delete(target);
      } else {
        this.seen.add(target);
        this.#patch(this.rows.get(target.host));
      }
    });
    const touch = () => { this.touchedAt = performance.now(); };
    this.body.addEventListener("pointermove", touch);
    addEventListener("scroll", touch, { passive: true });
    addEventListener("keydown", touch);
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      const selecting = !getSelection().isCollapsed;
      if (row && !event.target.closest("a") && !selecting) this.rows.get(row.host).link.click();
    });
    this.body.addEventListener("focusin", (event) => {
      if (event.target.matches(".name")) this.#rove(event.target);
    });
  }

  #head(key, title, onSort) {
    const button = el("button", { type: "button", class: "sorter" }, title,
      el("span", { class: "arrow", "aria-hidden": "true" }));
    button.addEventListener("click", () => onSort(key));
    const head = el("div", { class: `cell c-${key}`, role: "columnheader" }, button);
    this.heads.set(key, head);
    return head;
  }

  /** Whether somebody is pointing or scrolling, so that rows should not change places. */
  get isTouched() {
    return performance.now() - (this.touchedAt ?? -Infinity) < 1500;
  }

  showSort({ key, upwards }) {
    for (const [name, head] of this.heads) {
      const direction = upwards ? "ascending" : "descending";
      setAttribute(head, "aria-sort", name === key ? direction : "none");
    }
  }

  /** Show these hosts, in this order; moves as few rows as it can. */
  arrange(hosts, known) {
    for (const [id, row] of this.rows) {
      if (!known.has(id)) {
        this.seen.delete(row.element);
        this.rows.delete(id);
      }
    }
    const focused = document.activeElement;
    const wanted = hosts.map((host) => this.#row(host));
    const kept = new Set(wanted);
    for (const row of this.shown) {
      if (!kept.has(row)) {
        row.element.remove();
        this.seen.delete(row.element);
      }
    }
    let next = null;
    for (const row of wanted.toReversed()) {
      if (row.element.nextSibling !== next || row.element.parentNode !== this.body) {
        // A move keeps what a removal loses: focus, and what the browser has laid out.
        if (row.element.isConnected && this.body.moveBefore) this.body.moveBefore(row.element, next);
        else this.body.insertBefore(row.element, next);
      }
      next = row.element;
    }
    this.shown = wanted;
    if (focused !== document.activeElement && this.body.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
    if (!this.current?.isConnected && wanted.length) this.#rove(wanted[0].link);
  }

  #row(host) {
    let row = this.rows.get(host.id);
    if (!row) {
      row = new Row(host);
      this.rows.set(host.id, row);
      this.#patch(row, host);
    }
    row.host = host;
    return row;
  }

  /** Something of the host has changed: show it now, or soon if nobody can see it. */
  update(host, now) {
    const row = this.rows.get(host.id);
    if (row && (this.seen.has(row.element) || now - row.patchedAt > UNSEEN)) this.#patch(row, host);
  }

  /** Show what has changed though nothing came: states, and how long ago something was. */
  refresh(states) {
    for (const row of this.shown) {
      const state = states.get(row.host);
      const ages = state !== "online" && this.seen.has(row.element);
      if (ages || row.shownState !== state) this.#patch(row);
    }
  }

  #patch(row, host = row?.host) {
    if (!row) return;
    row.patchedAt = performance.now();
    row.patch(host, this.stateOf(host), this.seenAgo(host));
  }

  /** Let the arrow keys begin at this row, and the tab key find it alone. */
  #rove(link) {
    this.current?.setAttribute("tabindex", "-1");
    this.current = link;
    link.setAttribute("tabindex", "0");
  }

  /** Move the focus by that many rows, or to the first or last (±Infinity). */
  move(steps) {
    if (!this.shown.length) return;
    const index = this.shown.findIndex((row) => row.link === document.activeElement);
    const start = index < 0 ? this.shown.findIndex((row) => row.link === this.current) - steps : index;
    const target = Math.max(0, Math.min(this.shown.length - 1, start + steps));
    const { link, element } = this.shown[target];
    link.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  /** How many cards stand beside each other. */
  get columns() {
    return getComputedStyle(this.body).gridTemplateColumns.split(" ").length;
  }

  hostOf(element) {
    const row = element.closest(".row");
    return row && this.rows.get(row.host)?.host;
  }
}
