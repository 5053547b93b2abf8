// The filter box: `web tag:eu os:debian cpu>80 -status:offline "two words"`. All must hold.

const SIZES = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };
const SPANS = { "": 1, s: 1, min: 60, h: 3600, d: 86400, w: 604800 };

const share = { of: null, units: { "": 1, "%": 1 } };
const size = { units: SIZES, strip: /i?b?(\/s)?$/ };
const NUMBERS = {
  cpu: { ...share, read: (view) => view.cpu },
  mem: { ...share, read: (view) => view.memory },
  memory: { ...share, read: (view) => view.memory },
  disk: { ...share, read: (view) => view.disk },
  load: { units: { "": 1 }, read: (view) => view.load },
  cores: { units: { "": 1 }, read: (view) => view.cores },
  down: { ...size, read: (view) => view.down },
  up: { ...size, read: (view) => view.up },
  uptime: { units: SPANS, read: (view) => view.uptime },
};
const TEXTS = {
  tag: (host) => host.tags,
  name: (host) => [host.name],
  host: (host) => [host.id, host.report?.hostname],
  location: (host) => [host.location],
  os: (host) => [osOf(host)],
};
const COMPARE = {
  ">": (one, other) => one > other,
  "<": (one, other) => one < other,
  ">=": (one, other) => one >= other,
  "<=": (one, other) => one <= other,
  "=": (one, other) => one === other,
};
const STATUSES = ["online", "offline", "never", "stale", "waiting", "attention", "warning",
  "critical", "failing"];

/** Return the operating system of a host as a line. */
export function osOf(host) {
  const os = host.report?.os;
  return os ? [os.name, os.version].filter(Boolean).join(" ") : "";
}

/** Return whether a host wants attention in that state. */
export const wantsAttention = (host, state) =>
  state === "stale" || (state === "online" && host.view.level > 0);

/** Return `{test(host, state), problem}`; a term that cannot be read is named and left out. */
export function parse(text) {
  const tests = [];
  let problem = "";
  for (const [, minus, key, word, quoted, plain] of text.matchAll(TERM)) {
    const value = (quoted ?? plain ?? "").toLowerCase();
    try {
      const test = term(key?.toLowerCase(), word, value);
      tests.push(minus ? (host, state) => !test(host, state) : test);
    } catch (error) {
      problem ||= error.message;
    }
  }
  return { test: (host, state) => tests.every((test) => test(host, state)), problem };
}

// [-][key(: > < >= <= =)]("quoted" or plain)
const TERM = /(-)?(?:([a-z]+)(:|>=|<=|>|<|=))?(?:"([^"]*)"?|(\S+))/gi;

function term(key, sign, value) {
  if (key === undefined) return words(value);
  if (sign === ":" || (sign === "=" && !(key in NUMBERS))) {
    if (key === "status" || key === "is") return status(value);
    if (key in TEXTS) {
      return (host) => TEXTS[key](host).some((text) => text?.toLowerCase().includes(value));
    }
    if (!(key in NUMBERS)) return words(`${key}${sign}${value}`);
    sign = "=";
  }
  if (!(key in NUMBERS)) {
    throw new Error(`no number is called "${key}"; there are ${Object.keys(NUMBERS).join(", ")}`);
  }
  return compared(key, sign, value);
}

function compared(key, sign, value) {
  const { read, units, strip } = NUMBERS[key];
  const match = /^([\d.]+)\s*(.*)$/.exec(value);
  const unit = match?.[2].replace(strip ?? /$^/, "") ?? "";
  const wanted = Number(match?.[1]) * (units[unit] ?? NaN);
  if (Number.isNaN(wanted)) throw new Error(`"${key}${sign}" wants a number, like ${key}${sign}80`);
  const holds = COMPARE[sign];
  return (host) => read(host.view) !== null && holds(read(host.view), wanted);
}

function status(value) {
  const wanted = STATUSES.find((name) => value && name.startsWith(value));
  if (!wanted) throw new Error(`a status is one of ${STATUSES.join(", ")}`);
  if (wanted === "attention") return wantsAttention;
  if (wanted === "failing") return (host) => host.view.trouble.length > 0;
  if (wanted === "warning") return (host, state) => state === "online" && host.view.level === 1;
  if (wanted === "critical") return (host, state) => state === "online" && host.view.level === 2;
  return (host, state) => state === wanted;
}

function words(value) {
  return (host) => {
    host.search ??= [host.name, host.id, host.location, host.report?.hostname, osOf(host),
      ...host.tags].join("\n").toLowerCase();
    return host.search.includes(value);
  };
}
