// In which order the hosts stand.

const read = (key) => (host) => host.view[key];
const COLUMNS = {
  name: { value: (host) => host.name.toLowerCase(), upwards: true },
  tags: { value: (host) => host.tags.join(" ").toLowerCase() || null, upwards: true },
  cpu: { value: read("cpu") },
  memory: { value: read("memory") },
  disk: { value: read("disk") },
  load: { value: read("perCore") },
  down: { value: read("down") },
  up: { value: read("up") },
  uptime: { value: read("uptime") },
  health: { value: (host) => host.view.level * 1000 + host.view.reasons.length },
};
const LAST = { online: 0, stale: 0, waiting: 1, offline: 1, never: 2 };

export const isColumn = (key) => Object.hasOwn(COLUMNS, key);

/** Return the sort that a click on a column leads to: high first (names: A first), then back. */
export function clicked(sort, key) {
  if (sort.key !== key) return { key, upwards: Boolean(COLUMNS[key].upwards) };
  if (sort.upwards === Boolean(COLUMNS[key].upwards)) return { key, upwards: !sort.upwards };
  return { key: "", upwards: false };
}

/** Sort in place. Without a key: as configured. Offline is last, and missing is after present. */
export function sorted(hosts, { key, upwards }, stateOf) {
  if (!isColumn(key)) return hosts;
  const { value } = COLUMNS[key];
  const rows = hosts.map((host, index) => (
    { host, index, value: value(host), last: LAST[stateOf(host)] }));
  rows.sort((one, other) => one.last - other.last
    || (one.value === null) - (other.value === null)
    || (upwards ? 1 : -1) * compare(one.value, other.value)
    || one.index - other.index);
  return rows.map((row) => row.host);
}

function compare(one, other) {
  if (typeof one === "string") return one.localeCompare(other, "en", { numeric: true });
  return one - other;
}
