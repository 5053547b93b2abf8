// The tiles above the list: how many hosts are how, each a filter of its own.

import { el, setAttribute, setText } from "../parts/dom.js";
import * as format from "../parts/format.js";
import { wantsAttention } from "../store/query.js";

const TILES = [
  ["all", "All hosts"], ["online", "Online"], ["offline", "Offline"], ["attention", "Attention"],
];

/** Return whether a tile's filter lets a host through. */
export const SHOWS = {
  all: () => true,
  online: (host, state) => state === "online" || state === "stale",
  offline: (host, state) => state === "offline" || state === "never",
  attention: wantsAttention,
};

export class Overview {
  constructor(onChoose) {
    this.tiles = new Map();
    const buttons = TILES.map(([key, title]) => {
      const number = el("span", { class: "count" }, "0");
      const more = el("span", { class: "more" });
      const button = el("button", { type: "button", class: `tile t-${key}`, "aria-pressed": "false" },
        el("span", { class: "label" }, title), number, more);
      button.addEventListener("click", () => onChoose(key));
      this.tiles.set(key, { button, number, more });
      return button;
    });
    this.element = el("div", { class: "tiles", role: "group", "aria-label": "Show" }, ...buttons);
  }

  choose(key) {
    for (const [name, { button }] of this.tiles) {
      setAttribute(button, "aria-pressed", String(name === key));
    }
  }

  /** Count; `hosts` come with their states. */
  update(hosts) {
    const counts = { all: 0, online: 0, offline: 0, attention: 0 };
    const states = { never: 0, stale: 0, waiting: 0, critical: 0 };
    let down = 0;
    let up = 0;
    for (const [host, state] of hosts) {
      for (const key of Object.keys(counts)) counts[key] += SHOWS[key](host, state);
      if (state in states) states[state] += 1;
      if (state === "online") {
        states.critical += host.view.level > 1;
        down += host.view.down ?? 0;
        up += host.view.up ?? 0;
      }
    }
    for (const [key, count] of Object.entries(counts)) {
      const { button, number } = this.tiles.get(key);
      setText(number, String(count));
      setAttribute(button, "data-any", String(count > 0));
    }
    const said = (key, text) => setText(this.tiles.get(key).more, text);
    said("all", counts.online ? `↓ ${format.rate(down)}  ↑ ${format.rate(up)}` : "");
    said("online", states.waiting ? `${states.waiting} waiting` : "");
    said("offline", states.never ? `${states.never} never seen` : "");
    said("attention", [states.critical && `${states.critical} critical`,
      states.stale && `${states.stale} stale`].filter(Boolean).join(", "));
  }
}
