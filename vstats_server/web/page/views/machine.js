// The panels of a host's detail view for what every agent reports: facts, charts, cores, mounts,
// interfaces, the health of the collectors.

import { el, svg, wire } from "../parts/dom.js";
import * as format from "../parts/format.js";
import { highest, intervalOf } from "../store/history.js";
import { LEVELS, level } from "../store/levels.js";
import { Line, bar, figure } from "../parts/parts.js";
import { osOf } from "../store/query.js";

const MOST_ROWS = 256;
const A_ROW = 64;
const BUSY = 90;

export const panel = (title, attributes, ...children) =>
  el("section", { class: "panel", "aria-label": title, ...attributes }, el("h3", {}, title), ...children);

const th = (text, side) => el("th", { scope: "col", class: side }, text);
const right = (...children) => el("td", { class: "right" }, ...children);

function table(name, heads, rows, total) {
  const rest = total > rows.length ? el("p", { class: "note" }, `and ${total - rows.length} more`) : null;
  return [
    el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": name },
      el("table", {}, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows))),
    rest,
  ].filter(Boolean);
}

export function facts(host, seen) {
  const { report, view } = host;
  const { os, cpu, memory, agent } = report ?? {};
  const frequency = cpu?.frequency ? format.value(cpu.frequency * 1e6, { unit: "hertz" }) : "";
  const entries = [
    ["Hostname", report?.hostname], ["System", osOf(host)],
    ["Kernel", os && [os.kernel, os.arch].filter(Boolean).join(" · ")],
    ["Processor", cpu?.brand],
    ["CPUs", cpu && [format.count(cpu.cores), frequency].filter(Boolean).join(" · ")],
    ["Memory", memory && format.bytes(memory.total)],
    ["Uptime", view.uptime === null ? "" : format.duration(view.uptime)],
    ["Agent", agent && `${agent.version} · every ${format.duration(agent.interval)}`],
    ["Last report", report ? seen : ""], ["Id", host.id],
  ];
  return el("dl", { class: "facts" }, ...entries.map(([name, value]) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, wire(value || format.DASH)))));
}

function chart(host, keys, top) {
  const { points } = host.history;
  const interval = intervalOf(host.report?.agent?.interval, points);
  const lines = keys.map(([key, kind]) => new Line(600, 96, kind).set(points, key, interval, top).element);
  return el("div", { class: "chart", "aria-hidden": "true" }, ...lines,
    el("span", { class: "from" }, `${format.duration((interval * 59) / 1000)} ago`),
    el("span", { class: "to" }, "now"));
}

export function cpuPanel(host) {
  const { report: { cpu }, view } = host;
  return panel("CPU", { class: "panel chart-panel" },
    el("p", { class: "big" }, figure(format.percent(view.cpu), view.levels.cpu)),
    chart(host, [["cpu", ""]], 100), cores(cpu.per_core), loads(host));
}

/** One column a core, in rows of up to 64. A busy core is no trouble, so none is in alarm's colours. */
function cores(shares) {
  if (shares.length < 2) return null;
  const rows = Math.ceil(shares.length / A_ROW);
  const columns = Math.ceil(shares.length / rows);
  const height = Math.max(6, Math.min(36, 160 / rows));
  const paths = ["", ""];
  const grounds = [];
  const gap = Math.max(0.15, Math.min(2, columns * 0.05));
  const wide = (10 - gap).toFixed(2);
  shares.forEach((share, index) => {
    const x = (index % columns) * 10;
    const foot = (Math.floor(index / columns) + 1) * (height + 3) - 3;
    paths[share >= BUSY ? 1 : 0] += `M${x} ${foot}v${-Math.max(1, (share / 100) * height).toFixed(1)}h${wide}V${foot}z`;
    grounds.push(`M${x} ${foot}v${-height}h${wide}V${foot}z`);
  });
  const total = rows * (height + 3);
  const busiest = shares.indexOf(Math.max(...shares));
  const text = `${shares.length} CPUs, busiest is number ${busiest} with ${format.percent(shares[busiest])}`;
  return el("figure", { class: "cores" },
    svg("svg", {
      viewBox: `0 0 ${columns * 10} ${total}`, preserveAspectRatio: "none", role: "img",
      "aria-label": text, style: { height: `${total}px` },
    }, svg("path", { class: "ground", d: grounds.join("") }),
    ...paths.map((d, busy) => svg("path", { d, class: busy ? "busy" : null }))),
    el("figcaption", {}, text));
}

export function memoryPanel(host) {
  const { report: { memory }, view } = host;
  const part = (name, used, total, worst) => [
    el("dt", {}, name),
    el("dd", {}, bar(total ? used / total : null, worst), el("span", { class: "of" },
      `${format.bytes(used)} of ${format.bytes(total)}`)),
  ];
  return panel("Memory", { class: "panel chart-panel" },
    el("p", { class: "big" }, figure(format.percent(view.memory), view.levels.memory)),
    chart(host, [["memory", ""]], 100),
    el("dl", { class: "parts" }, ...part("Used", memory.used, memory.total, view.levels.memory),
      ...(memory.swap_total ? part("Swap", memory.swap_used, memory.swap_total, 0) : [])));
}

export function networkPanel(host) {
  const { report: { network }, view, history } = host;
  const top = Math.max(10 * 1024, highest(history.points, "down", "up")) * 1.05;
  const way = (kind, name, rate, total) => el("div", { class: `way ${kind}` },
    el("span", { class: "key", "aria-hidden": "true" }), el("span", { class: "label" }, name),
    el("span", { class: "big" }, figure(format.rate(rate))),
    el("span", { class: "of" }, `${format.bytes(total)} in all`));
  return panel("Network", { class: "panel chart-panel" },
    el("div", { class: "ways" }, way("down", "Down", view.down, network.total_rx),
      way("up", "Up", view.up, network.total_tx)),
    chart(host, [["down", "down"], ["up", "up"]], top));
}

/** The panel of a host that tells its load and nothing of its CPUs. */
export const loadPanel = (host) => panel("Load", {}, loads(host));

function loads({ report: { load_average: load }, view }) {
  if (!load) return null;
  const item = (name, value, worst) =>
    el("div", {}, el("dt", {}, name), el("dd", {}, figure(format.load(value), worst)));
  return el("dl", { class: "loads" }, item("Load, 1 min", load.one, view.levels.load),
    item("5 min", load.five, 0), item("15 min", load.fifteen, 0),
    ...(view.perCore === null ? [] : [item("1 min per CPU", view.perCore, view.levels.load)]));
}

export function mounts({ report: { disks } }) {
  const rows = disks.slice(0, MOST_ROWS).map((disk) => {
    const worst = level(disk.usage_percent, LEVELS.disk);
    return el("tr", {}, el("th", { scope: "row" }, wire(disk.mount_point)),
      el("td", { class: "wide" }, bar(disk.usage_percent / 100, worst)),
      right(figure(format.percent(disk.usage_percent), worst)),
      right(figure(format.bytes(disk.used))), right(figure(format.bytes(disk.available))),
      right(figure(format.bytes(disk.total))),
      el("td", { class: "faint" }, wire(`${disk.name} · ${disk.fs_type}`)));
  });
  return panel("Mounts", {}, ...table("Mounts", [th("Mount point"), el("td"), th("Full", "right"),
    th("Used", "right"), th("Free", "right"), th("Size", "right"), th("Device")], rows, disks.length));
}

export function interfaces({ report: { network } }, rates, at) {
  const rows = network.interfaces.slice(0, MOST_ROWS).map(({ name, rx, tx }) => el("tr", {},
    el("th", { scope: "row" }, wire(name)),
    right(figure(format.rate(rates.of(`interface ${name} rx`, rx, at)))),
    right(figure(format.rate(rates.of(`interface ${name} tx`, tx, at)))),
    right(figure(format.bytes(rx))), right(figure(format.bytes(tx)))));
  return panel("Interfaces", {}, ...table("Interfaces", [th("Name"), th("Down", "right"),
    th("Up", "right"), th("Received", "right"), th("Sent", "right")], rows, network.interfaces.length));
}

export function collectors({ report }) {
  const all = Object.entries(report.collectors);
  const rows = all.slice(0, MOST_ROWS).map(([name, health]) => {
    const failing = health.ok === false;
    return el("tr", {}, el("th", { scope: "row" }, wire(name)),
      el("td", {}, el("span", { class: "figure", "data-level": failing ? 1 : 0 },
        el("span", { class: "sign", "aria-hidden": "true" }, failing ? "▲" : ""),
        failing ? "failing" : "ok")),
      right(figure(format.duration(health.age))), right(figure(format.duration(health.duration))),
      el("td", { class: "error" }, wire(health.error ?? "")));
  });
  return panel("Collectors", {}, ...table("Collectors", [th("Name"), th("State"), th("Age", "right"),
    th("Took", "right"), th("Error")], rows, all.length));
}
