// What a pointer that rests on a cell is told: all mounts, both of memory's numbers, all reasons.

import { el, wire } from "./dom.js";
import * as format from "./format.js";
import { LEVELS, SIGNS, level } from "../store/levels.js";
import { bar, figure } from "./parts.js";

const MOST = 24;

const line = (name, ...rest) => el("tr", {}, el("th", { scope: "row" }, name), ...rest);
const cell = (content) => el("td", {}, content);
const of = (used, total) => `${format.bytes(used)} of ${format.bytes(total)}`;

const HINTS = {
  disk({ report }) {
    const disks = report?.disks ?? [];
    const rows = disks.slice(0, MOST).map((disk) => {
      const worst = level(disk.usage_percent, LEVELS.disk);
      return line(wire(disk.mount_point), cell(bar(disk.usage_percent / 100, worst)),
        cell(figure(format.percent(disk.usage_percent), worst)), cell(of(disk.used, disk.total)));
    });
    if (disks.length > MOST) rows.push(line(`and ${disks.length - MOST} more`));
    return rows;
  },
  memory({ report }) {
    const memory = report?.memory;
    if (!memory) return [];
    const rows = [line("Memory", cell(of(memory.used, memory.total)))];
    if (memory.swap_total) rows.push(line("Swap", cell(of(memory.swap_used, memory.swap_total))));
    return rows;
  },
  load({ report, view }) {
    const load = report?.load_average;
    if (!load) return [];
    return [
      ...[["1 min", load.one], ["5 min", load.five], ["15 min", load.fifteen]]
        .map(([name, value]) => line(name, cell(format.load(value)))),
      line("CPUs", cell(format.count(view.cores))),
      line("1 min per CPU", cell(format.load(view.perCore))),
    ];
  },
  tags({ tags }) {
    return tags.slice(0, MOST).map((tag) => line(wire(tag)));
  },
  health({ view }) {
    return view.reasons.slice(0, MOST).map(({ level: worst, text }) =>
      line(SIGNS[worst], el("td", { class: "reason" }, wire(text))));
  },
};

/** Show hints for the cells of `area` that have one, in one element that is reused. */
export function hint(area, hostOf) {
  const box = el("div", { class: "hint", role: "tooltip", hidden: true });
  document.body.append(box);
  let over = null;

  const hide = () => {
    over = null;
    box.hidden = true;
  };
  area.addEventListener("pointerover", (event) => {
    const target = event.target.closest("[data-hint]");
    if (target === over) return;
    hide();
    const host = target && event.pointerType === "mouse" && hostOf(target);
    const rows = host ? HINTS[target.dataset.hint](host) : [];
    if (!rows.length) return;
    over = target;
    box.replaceChildren(el("table", {}, el("tbody", {}, ...rows)));
    box.hidden = false;
    place(box, target.getBoundingClientRect());
  });
  area.addEventListener("pointerleave", hide);
  addEventListener("scroll", hide, { passive: true, capture: true });
  addEventListener("keydown", hide);
  return hide;
}

function place(box, target) {
  const { width, height } = box.getBoundingClientRect();
  const left = Math.max(8, Math.min(target.left, innerWidth - width - 8));
  const below = target.bottom + 4;
  const top = below + height < innerHeight ? below : Math.max(8, target.top - height - 4);
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}
