// One host in the list: a row of the table, or a card; which of the two is the style sheet's choice.

import { el, setAttribute, setText, spoken } from "../parts/dom.js";
import * as format from "../parts/format.js";
import { highest, intervalOf } from "../store/history.js";
import { SIGNS, WORDS } from "../store/levels.js";
import { Bar, Figure, Line, stateIcon, stateWord, tagList } from "../parts/parts.js";
import { write } from "../parts/address.js";

/** Bytes a second below which traffic is drawn as low, however little the rest is. */
const QUIET = 10 * 1024;

export const COLUMNS = [
  ["name", "Host"], ["tags", "Tags"], ["cpu", "CPU"], ["memory", "Memory"], ["disk", "Disk"],
  ["load", "Load"], ["down", "Down"], ["up", "Up"], ["uptime", "Uptime"], ["health", "Health"],
];

export class Row {
  constructor(host) {
    this.host = host;
    this.figures = {};
    for (const key of ["cpu", "memory", "disk", "load", "down", "up", "uptime"]) {
      this.figures[key] = new Figure();
    }
    this.bars = { memory: new Bar(), disk: new Bar() };
    this.lines = { cpu: new Line(72, 20), down: new Line(48, 20), up: new Line(48, 20) };
    this.link = el("a", { class: "name", tabindex: "-1" });
    this.state = el("span", { class: "state" });
    this.place = el("bdi", { class: "place" });
    this.tags = this.#cell("tags", [], "tags");
    this.mount = el("bdi", { class: "mount" });
    this.sign = el("span", { class: "sign", "aria-hidden": "true" });
    this.word = spoken("");
    this.said = el("bdi", { class: "said" });
    this.more = el("span", { class: "more" });
    const { cpu, memory, disk, load, down, up, uptime } = this.figures;
    this.element = el("div", { class: "row", role: "row" },
      el("div", { class: "cell c-name", role: "rowheader" }, this.state, this.link, this.place),
      this.tags,
      this.#cell("cpu", [cpu.element, this.lines.cpu.element]),
      this.#cell("memory", [memory.element, this.bars.memory.element], "memory"),
      this.#cell("disk", [disk.element, this.bars.disk.element, this.mount], "disk"),
      this.#cell("load", [load.element], "load"),
      this.#cell("down", [down.element, this.lines.down.element]),
      this.#cell("up", [up.element, this.lines.up.element]),
      this.#cell("uptime", [uptime.element]),
      this.#cell("health", [this.sign, this.word, this.said, this.more], "health"));
    this.element.host = host.id;
  }

  #cell(key, children, hint) {
    const label = COLUMNS.find(([name]) => name === key)[1];
    return el("div", { class: `cell c-${key}`, role: "cell", "data-label": label,
      "data-hint": hint }, ...children);
  }

  /** Show what is known of the host now. */
  patch(host, state, seenAgo) {
    this.host = host;
    this.#patchHead(host, state);
    const { view, history } = host;
    const alive = state === "online" || state === "stale";
    const level = (key) => (alive ? view.levels[key] ?? 0 : 0);
    this.figures.cpu.set(format.percent(view.cpu), level("cpu"));
    this.figures.memory.set(format.percent(view.memory), level("memory"));
    this.figures.disk.set(format.percent(view.disk), level("disk"));
    this.figures.load.set(format.load(view.load), level("load"));
    this.figures.down.set(format.rate(view.down));
    this.figures.up.set(format.rate(view.up));
    this.figures.uptime.set(format.duration(view.uptime));
    this.bars.memory.set(view.memory === null ? null : view.memory / 100, level("memory"));
    this.bars.disk.set(view.disk === null ? null : view.disk / 100, level("disk"));
    setText(this.mount, view.worstDisk?.mount_point ?? "");
    this.#patchLines(host, history.points);
    this.#patchHealth(host, state, seenAgo);
  }

  #patchHead(host, state) {
    setText(this.link, host.name);
    setAttribute(this.link, "href", write({
      host: host.id, show: "all", q: "", sort: { key: "", upwards: false }, view: "" }));
    setText(this.place, host.location);
    if (this.shownState !== state) {
      this.shownState = state;
      this.element.dataset.state = state;
      this.state.replaceChildren(stateIcon(state), spoken(`${stateWord(state)}: `));
    }
    const tags = host.tags.join("\n");
    if (this.shownTags !== tags) {
      this.shownTags = tags;
      this.tags.replaceChildren(...tagList(host.tags));
    }
  }

  #patchLines(host, points) {
    const interval = intervalOf(host.report?.agent?.interval, points);
    const top = Math.max(QUIET, highest(points, "down", "up"));
    this.lines.cpu.set(points, "cpu", interval, 100);
    this.lines.down.set(points, "down", interval, top);
    this.lines.up.set(points, "up", interval, top);
  }

  #patchHealth(host, state, seenAgo) {
    const [text, level, more] = healthOf(host, state, seenAgo);
    setText(this.said, text);
    setText(this.more, more ? ` +${more}` : "");
    setText(this.sign, SIGNS[level]);
    setText(this.word, level ? `${WORDS[level]}: ` : "");
    setAttribute(this.element, "data-level", level);
  }
}

/** Return what is to be said of a host: the text, its level, and how much more there is. */
export function healthOf(host, state, seenAgo) {
  const { reasons } = host.view;
  if (state === "never") return ["never seen", 0, 0];
  if (state === "offline") return [`last seen ${format.ago(seenAgo)}`, 0, 0];
  if (state === "waiting") {
    return [host.report ? "waiting for news" : "waiting for its first report", 0, 0];
  }
  if (state === "stale") return [`no report for ${format.duration(Math.floor(seenAgo))}`, 1, 0];
  if (reasons.length) return [reasons[0].text.slice(0, 200), reasons[0].level, reasons.length - 1];
  return ["ok", 0, 0];
}
