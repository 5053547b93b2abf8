// How the connection fares, and how old what is shown may be.

import { el, setAttribute, setText } from "./dom.js";
import * as format from "./format.js";

export class Pill {
  constructor(connection, store) {
    this.connection = connection;
    this.store = store;
    this.text = el("span", { class: "text" }, "connecting");
    this.age = el("span", { class: "age" });
    this.element = el("button", { type: "button", class: "pill", title: "Connect now" },
      el("span", { class: "beat", "aria-hidden": "true" }), this.text, this.age);
    this.element.addEventListener("click", () => connection.wake(false));
    // Said once for each change, not at each second of a countdown.
    this.spoken = el("p", { class: "spoken", role: "status" });
  }

  update(now) {
    const { state, retryAt } = this.connection;
    const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000));
    const words = {
      live: "live",
      connecting: this.store.heardAt === null ? "connecting" : "reconnecting",
      waiting: seconds ? `reconnecting in ${seconds} s` : "reconnecting",
    };
    setText(this.text, words[state]);
    setText(this.spoken, { live: "live", connecting: "connecting", waiting: "connection lost" }[state]);
    setAttribute(this.element, "data-state", state);
    const { heardAt } = this.store;
    const age = heardAt === null ? null : (now - heardAt) / 1000;
    const fresh = age === null || age < 2;
    setText(this.age, fresh ? "" : `data ${format.ago(age).replace(/ago$/, "old")}`);
    this.element.disabled = state !== "waiting";
  }
}
