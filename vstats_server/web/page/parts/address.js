// What the page shows is in its address, so that a view can be sent to somebody.

const DEFAULTS = { host: "", show: "all", q: "", sort: "", view: "" };
const SHOWS = ["all", "online", "offline", "attention"];
const VIEWS = ["", "table", "cards"];

/** Return `{host, show, q, sort: {key, upwards}, view}` from the part after the `#`. */
export function read(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const found = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) found[key] = given.get(key) ?? DEFAULTS[key];
  if (!SHOWS.includes(found.show)) found.show = "all";
  if (!VIEWS.includes(found.view)) found.view = "";
  // "cpu" has the highest first, "-cpu" the lowest.
  const upwards = found.sort.startsWith("-");
  return { ...found, sort: { key: found.sort.replace(/^-/, ""), upwards } };
}

/** Return the part after the `#`; what is as usual is left out. */
export function write(state) {
  const sort = state.sort.key && `${state.sort.upwards ? "-" : ""}${state.sort.key}`;
  const parts = Object.entries({ ...state, sort })
    .filter(([key, value]) => value !== DEFAULTS[key])
    .map(([key, value]) => `${key}=${encodeURIComponent(value)}`);
  return parts.length ? `#${parts.join("&")}` : "#";
}
