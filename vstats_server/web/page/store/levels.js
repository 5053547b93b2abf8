// From where on a number needs attention, and what of a host does.

import * as format from "../parts/format.js";

export const FINE = 0;
export const WARN = 1;
export const CRITICAL = 2;
export const WORDS = ["", "warning", "critical"];
export const SIGNS = ["", "▲", "◆"];

/** The page's own levels for what every agent reports; plugins declare theirs. */
export const LEVELS = {
  cpu: { warn: 85, critical: 95 },
  memory: { warn: 85, critical: 95 },
  disk: { warn: 85, critical: 95 },
  // Processes that want a CPU, for each CPU there is.
  load: { warn: 1, critical: 2 },
};

/** Return FINE, WARN or CRITICAL; higher is worse. */
export function level(value, levels) {
  if (typeof value !== "number" || !levels) return FINE;
  if (levels.critical !== undefined && value >= levels.critical) return CRITICAL;
  if (levels.warn !== undefined && value >= levels.warn) return WARN;
  return FINE;
}

/** Yield every value at a declared path ("temperatures[].current") with the item it is in. */
export function* valuesAt(content, path) {
  const steps = path.split(/\.|(?=\[\])/).filter(Boolean);
  yield* walk(content, steps, null);
}

function* walk(content, steps, item) {
  if (content === null || content === undefined) return;
  if (steps.length === 0) {
    yield [content, item];
    return;
  }
  const [step, ...rest] = steps;
  if (step === "[]") {
    if (Array.isArray(content)) for (const each of content) yield* walk(each, rest, each);
  } else if (typeof content === "object" && Object.hasOwn(content, step)) {
    yield* walk(content[step], rest, item);
  }
}

/** Return the fields of a description that have levels, as a list to walk at every report. */
export function levelled(sections) {
  const found = [];
  for (const [name, section] of Object.entries(sections)) {
    for (const [path, field] of Object.entries(section.fields)) {
      if (field.warn !== undefined || field.critical !== undefined) {
        found.push({ name, path, field, title: section.title });
      }
    }
  }
  return found;
}

/** Return what of a report needs attention, worst first: `{level, text, own}`.
 *
 * `own` says that the table has no column for it, so that it must be told in words.
 */
export function reasons(view, report, watched) {
  const found = [];
  const add = (worst, text, own) => worst && found.push({ level: worst, text, own });
  add(view.levels.cpu, `CPU ${format.percent(view.cpu)}`, false);
  add(view.levels.memory, `memory ${format.percent(view.memory)}`, false);
  add(view.levels.disk, `${view.worstDisk?.mount_point} ${format.percent(view.disk)} full`, false);
  add(view.levels.load, `load ${format.load(view.load)} on ${view.cores} CPUs`, false);
  for (const { name, error } of view.trouble) {
    add(WARN, error ? `${name}: ${error}` : `${name} fails`, true);
  }
  for (const { name, path, field, title } of watched) {
    for (const [value, item] of valuesAt(report[name], path)) {
      const worst = level(value, field);
      if (worst) {
        const which = item && (item.label || item.name || item.mount_point);
        const what = which ? `${which}: ${field.title}` : `${title}: ${field.title}`;
        add(worst, `${what} ${format.value(value, field)}`, true);
      }
    }
  }
  return found.sort((one, other) => other.level - one.level);
}
