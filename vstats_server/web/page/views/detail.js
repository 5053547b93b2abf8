// All that is known of one host.

import { el, icon, morph, setText, wire } from "../parts/dom.js";
import * as format from "../parts/format.js";
import { SIGNS, WORDS } from "../store/levels.js";
import * as machine from "./machine.js";
import { panel } from "./panels.js";
import { stateIcon, stateWord, tagList } from "../parts/parts.js";
import { Rates } from "../store/rates.js";
import { healthOf } from "./row.js";

const KNOWN = new Set(["timestamp", "hostname", "os", "cpu", "memory", "disks", "network", "uptime",
  "load_average", "collectors", "agent"]);

export class Detail {
  /** `onBack` leads to the list; `stateOf` and `seenAgo` tell of a host. */
  constructor({ stateOf, seenAgo, onBack }) {
    this.stateOf = stateOf;
    this.seenAgo = seenAgo;
    this.id = null;
    this.content = el("div", { class: "content" });
    this.raw = el("pre", { tabindex: "0", "aria-label": "The report as JSON" });
    this.folded = el("details", { class: "panel raw" }, el("summary", {}, "The report as JSON"), this.raw);
    this.folded.addEventListener("toggle", () => this.#showRaw());
    const back = el("button", { type: "button", class: "back" }, icon("back"), "All hosts");
    back.addEventListener("click", onBack);
    this.heading = el("h2", { tabindex: "-1" });
    this.about = el("div", { class: "about" });
    this.element = el("article", { class: "detail" },
      back, el("div", { class: "title" }, this.heading, this.about), this.content, this.folded);
  }

  /** Show this host from now on. */
  open(id) {
    this.id = id;
    this.rates = new Rates();
    this.folded.open = false;
    setText(this.heading, "");
    this.content.replaceChildren();
  }

  /** Show what is known of the host now; undefined if there is none of that id. */
  update(host) {
    this.host = host;
    setText(this.heading, host ? host.name : this.id);
    this.folded.hidden = !host?.report;
    morph(this.about, el("div", { class: "about" }, ...(host ? this.#about(host) : [])));
    morph(this.content, el("div", { class: "content" }, ...(host ? this.#panels(host) : [empty()])));
    this.#showRaw();
  }

  #about(host) {
    const state = this.stateOf(host);
    const [said] = healthOf(host, state, this.seenAgo(host));
    return [
      el("span", { class: "state", "data-state": state }, stateIcon(state), stateWord(state)),
      ...(state === "online" || said === stateWord(state) ? [] : [el("span", {}, said)]),
      ...(host.location ? [wire(host.location)] : []), ...tagList(host.tags),
    ];
  }

  #panels(host) {
    const { report, sections } = host;
    const state = this.stateOf(host);
    const seen = format.ago(this.seenAgo(host));
    const shown = [];
    if (state === "online" && host.view.reasons.length) shown.push(attention(host.view.reasons));
    shown.push(machine.facts(host, seen));
    if (!report) {
      shown.push(el("p", { class: "empty" }, state === "never"
        ? "This host has not been seen since the server started. Is its agent running, and does it have this host's token?"
        : "Waiting for its first report."));
      return shown;
    }
    const at = host.heardAt;
    const charts = [report.cpu ? machine.cpuPanel(host) : report.load_average && machine.loadPanel(host),
      report.memory && machine.memoryPanel(host), report.network && machine.networkPanel(host)];
    const tables = [
      report.disks?.length && machine.mounts(host),
      report.network?.interfaces.length && machine.interfaces(host, this.rates, at),
      ...Object.keys(report).filter((name) => !KNOWN.has(name))
        .map((name) => panel(name, report[name], sections[name], this.rates, at)),
      report.collectors && machine.collectors(host),
    ];
    shown.push(el("div", { class: "charts" }, ...charts.filter(Boolean)),
      el("div", { class: "panels" }, ...tables.filter(Boolean)));
    return shown;
  }

  #showRaw() {
    if (this.folded.open && this.host?.report) {
      setText(this.raw, JSON.stringify(this.host.report, null, 2));
    }
  }
}

const empty = () => el("p", { class: "empty" }, "The server has no host of this id (any more).");

function attention(reasons) {
  return el("ul", { class: "reasons", "aria-label": "Needs attention" }, ...reasons.slice(0, 20).map(
    ({ level, text }) => el("li", { "data-level": level },
      el("span", { class: "sign", role: "img", "aria-label": WORDS[level] }, SIGNS[level]), wire(text))));
}
