// The page: joins store, connection and views; decides when something is painted.

import * as address from "./parts/address.js";
import { Detail } from "./views/detail.js";
import { el, icon, setAttribute, setText } from "./parts/dom.js";
import { hint } from "./parts/hints.js";
import { List } from "./views/list.js";
import { clicked, isColumn, sorted } from "./store/order.js";
import { Overview, SHOWS } from "./views/overview.js";
import { Pill } from "./parts/pill.js";
import { parse } from "./store/query.js";
import { COLUMNS } from "./views/row.js";
import { Connection } from "./store/socket.js";
import { Store } from "./store/store.js";
import { themeButton } from "./parts/theme.js";

const PAINT_GAP = 200;
/** Milliseconds between two paintings for reports; what a person does is painted at once. */
const SORT_GAP = 2000;
const SORT_GAP_A_HOST = 10;
/** Milliseconds between two orders of a list by what changes all the time; rows are slow to move. */
const PRUNE_AFTER = 5000;
const INSIDE = "from the list";
/** What the browser's history remembers of a step from the list to a host. */

const now = () => performance.now();
const url = new URL("ws", document.baseURI);
url.protocol = url.protocol.replace("http", "ws");
url.hash = url.search = "";
const connection = new Connection(url);
const store = new Store(now);

/** The moment that states are judged by: while nothing can come, nothing grows stale. */
const judgedAt = () => (connection.state === "live" ? now() : (store.heardAt ?? now()));
const stateOf = (host) => store.state(host, judgedAt());
const seenAgo = (host) => store.seenAgo(host);

let shown = address.read("");
let query = parse(shown.q);
let dirty = new Set();
let everything = true;
let orderedAt = 0;
let paintedAt = 0;
let frame = 0;
let timer = 0;
let listTop = 0;

// The parts.

const list = new List({ stateOf, seenAgo, onSort: (key) => go({ sort: clicked(shown.sort, key) }) });
const detail = new Detail({ stateOf, seenAgo, onBack: back });
const overview = new Overview((key) => go({ show: shown.show === key ? "all" : key }));
const pill = new Pill(connection, store);
const box = document.getElementById("filter");
const problem = document.getElementById("problem");
const empty = el("p", { class: "empty", role: "status" });
const narrow = matchMedia("(max-width: 719.98px)");
const viewButton = el("button", { type: "button", class: "tool view" });
const sortBox = el("select", { "aria-label": "Sort by" }, el("option", { value: "" }, "As configured"),
  ...COLUMNS.map(([key, title]) => el("option", { value: key }, title)));
const overall = el("div", { class: "overall" }, overview.element,
  el("label", { class: "sort-by" }, "Sort by ", sortBox), list.element, empty);
const main = document.querySelector("main");

document.getElementById("tools").append(viewButton, themeButton(), pill.element, pill.spoken);
main.append(overall, detail.element);
const hideHint = hint(list.element, (element) => list.hostOf(element));

// What is shown.

/** Go to what differs from what is shown now; `push` makes it a step that the browser can go back. */
function go(change, push = false) {
  const next = address.write({ ...shown, ...change });
  if (push) history.pushState(INSIDE, "", next);
  else history.replaceState(history.state, "", next);
  show();
}

function back() {
  if (history.state === INSIDE) history.back();
  else go({ host: "" });
}

/** Show what the address says. */
function show() {
  const before = shown.host;
  if (!before) listTop = scrollY;
  shown = address.read(location.hash);
  if (!isColumn(shown.sort.key)) shown.sort = { key: "", upwards: false };
  query = parse(shown.q);
  if (box.value !== shown.q && document.activeElement !== box) box.value = shown.q;
  setText(problem, query.problem);
  problem.hidden = !query.problem;
  setAttribute(box, "aria-invalid", String(Boolean(query.problem)));
  sortBox.value = shown.sort.key;
  overview.choose(shown.show);
  list.showSort(shown.sort);
  showView();
  overall.hidden = Boolean(shown.host);
  detail.element.hidden = !shown.host;
  hideHint();
  orderedAt = 0;
  everything = true;
  if (shown.host === before) paintNow();
  else if (shown.host) enter();
  else leave(before);
}

function enter() {
  detail.open(shown.host);
  paint();
  scrollTo(0, 0);
  detail.heading.focus({ preventScroll: true });
}

/** Go back to the list, to where it was left. */
function leave(host) {
  paint();
  scrollTo(0, listTop);
  list.rows.get(host)?.link.focus({ preventScroll: true });
}

function showView() {
  const cards = narrow.matches || shown.view === "cards";
  document.body.dataset.view = cards ? "cards" : "table";
  viewButton.hidden = narrow.matches;
  viewButton.replaceChildren(icon(cards ? "table" : "cards"));
  viewButton.title = cards ? "Show a table" : "Show cards";
  viewButton.setAttribute("aria-label", viewButton.title);
  viewButton.onclick = () => go({ view: cards ? "" : "cards" });
}

// Painting.

function schedule() {
  if (frame || timer) return;
  const wait = paintedAt + PAINT_GAP - now();
  if (wait > 0) timer = setTimeout(paintNow, wait);
  else paintNow();
}

function paintNow() {
  clearTimeout(timer);
  timer = 0;
  frame ||= requestAnimationFrame(paint);
}

function paint() {
  cancelAnimationFrame(frame);
  frame = 0;
  paintedAt = now();
  const changed = dirty;
  dirty = new Set();
  if (everything) arrange();
  if (!shown.host) for (const host of changed) list.update(host, paintedAt);
  else if (everything || changed.has(store.hosts.get(shown.host))) showDetail();
  everything = false;
  pill.update(paintedAt);
  document.body.dataset.link = connection.state;
}

function showDetail() {
  const host = store.hosts.get(shown.host);
  detail.update(host);
  document.title = `${host?.name ?? shown.host} · vStats`;
}

function arrange() {
  const states = new Map([...store.hosts.values()].map((host) => [host, stateOf(host)]));
  overview.update(states);
  if (shown.host) return;
  const passes = SHOWS[shown.show];
  const hosts = [...store.hosts.values()].filter(
    (host) => passes(host, states.get(host)) && query.test(host, states.get(host)));
  const gap = Math.max(SORT_GAP, SORT_GAP_A_HOST * hosts.length);
  const held = list.isTouched || paintedAt - orderedAt < gap;
  const ordered = held && orderedAt ? inOldOrder(hosts) : sorted(hosts, shown.sort, (host) => states.get(host));
  if (!held || !orderedAt) orderedAt = paintedAt;
  list.arrange(ordered, store.hosts);
  list.refresh(states);
  showEmpty(hosts.length);
  const wanting = overview.tiles.get("attention").number.shown;
  document.title = wanting === "0" ? "vStats" : `(${wanting}) vStats`;
}

/** Leave those that were shown where they were; new ones come after them. */
function inOldOrder(hosts) {
  const places = new Map(list.shown.map((row, index) => [row.host, index]));
  const place = (host) => places.get(host) ?? places.size;
  return hosts.toSorted((one, other) => place(one) - place(other));
}

function showEmpty(count) {
  const known = store.hosts.size;
  const settled = connection.state === "live" && now() - store.addedAt > 500;
  empty.hidden = count > 0;
  list.element.hidden = count === 0;
  if (known) {
    setText(empty, "No host is like that. Press Esc in the filter box to see all.");
  } else if (settled) {
    setText(empty, "No hosts yet. On the server: vstats-server hosts add \"Web 1\"");
  } else {
    setText(empty, connection.state === "waiting" ? "The server does not answer." : "Connecting …");
  }
}

// What happens.

store.onHost = (host) => {
  dirty.add(host);
  schedule();
};
store.onHosts = () => {
  everything = true;
  schedule();
};
connection.onOpen = () => store.connected();
connection.onMessage = (message) => store.apply(message);
/** Let the browser ask for the password, as it does for a page and not for a WebSocket. */
connection.onRefused = async (certain) => {
  // Our health is everybody's to ask for: a server that tells it and lets us not in wants a password.
  const answers = () => fetch("healthz", { cache: "no-store" }).then(({ ok }) => ok, () => false);
  if (certain || await answers()) location.reload();
};
connection.onChange = () => {
  everything = true;
  paintNow();
};

const expectsNews = () => [...store.hosts.values()].some(
  (host) => host.online && host.report?.agent?.interval <= 10);

setInterval(() => {
  if (connection.state === "live" && now() - store.addedAt > PRUNE_AFTER) store.prune();
  if (!document.hidden) connection.check(expectsNews());
  everything = true;
  schedule();
}, 1000);

addEventListener("online", () => connection.wake(expectsNews()));
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) connection.wake(expectsNews());
});
addEventListener("popstate", show);
narrow.addEventListener("change", show);
box.addEventListener("input", () => go({ q: box.value }));
sortBox.addEventListener("change", () => {
  const key = sortBox.value;
  go({ sort: key ? clicked({ key: "" }, key) : { key: "", upwards: false } });
});
// Links lead inside the page: to a host as a step of their own, with the list kept as it is.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const { host, q } = address.read(link.getAttribute("href"));
  if (host) {
    go({ host }, true);
  } else {
    box.value = q;
    go({ host: "", q }, Boolean(shown.host));
  }
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const writing = event.target.matches("input, select, textarea");
  const steps = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  if (event.key === "/" && !writing) {
    event.preventDefault();
    if (shown.host) go({ host: "" });
    box.focus();
    box.select();
  } else if (event.key === "Escape") {
    escape();
  } else if (event.key in steps && !shown.host && (!writing || (event.target === box && event.key === "ArrowDown"))) {
    const inCards = document.body.dataset.view === "cards";
    const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
    if (sideways && !inCards) return;
    event.preventDefault();
    list.move(steps[event.key] * (inCards && !sideways ? list.columns : 1));
  }
});

function escape() {
  if (shown.host) {
    back();
  } else if (document.activeElement === box && !box.value) {
    box.blur();
  } else {
    box.value = "";
    go({ q: "", show: "all" });
  }
}

history.scrollRestoration = "manual";
show();
connection.connect();
