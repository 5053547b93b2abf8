// How a value is written: the one place that knows. Every function returns text; what is missing
// is DASH, and a unit is parted from its number by a space that does not break.

export const DASH = "-";

const GAP = "\u00a0";
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL = ["", "k", "M", "G", "T"];
const SPANS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

/** Three significant digits, never an exponent: 0.0123, 1.23, 12.3, 123, 1234. */
export function significant(value) {
  if (!isNumber(value)) return DASH;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  const digits = Math.min(6, 2 - Math.floor(Math.log10(size)));
  const text = value.toFixed(digits);
  // 9.996 becomes 10.00: one digit too many.
  return Math.abs(Number(text)) >= 10 ** (3 - digits) ? value.toFixed(digits - 1) : text;
}

/** Scale by steps of `base` so that the number stays below 1000; return number and prefix index. */
function scaled(value, base, last) {
  let index = 0;
  // What would be written as 1000 belongs to the next unit.
  while (Math.abs(value) >= 999.5 && index < last) {
    value /= base;
    index += 1;
  }
  return [value, index];
}

/** Bytes in KiB, MiB ...: "1.50 KiB". Whole below one KiB. */
export function bytes(value) {
  if (!isNumber(value)) return DASH;
  const [number, index] = scaled(value, 1024, BINARY.length - 1);
  return `${index === 0 ? Math.round(number) : significant(number)}${GAP}${BINARY[index]}`;
}

/** Bytes a second: "1.50 KiB/s". */
export const rate = (value) => (isNumber(value) ? `${bytes(value)}/s` : DASH);

/** A share of 100, to one decimal, so that columns line up: "5.3 %", "100 %". */
export function percent(value) {
  if (!isNumber(value)) return DASH;
  return `${value >= 99.95 ? Math.round(value) : value.toFixed(1)}${GAP}%`;
}

/** A load average or another bare number with two decimals. */
export const load = (value) => (isNumber(value) ? value.toFixed(2) : DASH);

/** A span in its two largest units: "12 d 3 h", "42 s"; below a second in ms and µs. */
export function duration(seconds) {
  if (!isNumber(seconds)) return DASH;
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds === 0) return `0${GAP}s`;
  if (seconds < 0.0009995) return `${significant(seconds * 1e6)}${GAP}µs`;
  if (seconds < 0.9995) return `${significant(seconds * 1e3)}${GAP}ms`;
  if (seconds < 10 && !Number.isInteger(seconds)) return `${significant(seconds)}${GAP}s`;
  const whole = Math.round(seconds);
  const first = SPANS.findIndex(([, size]) => whole >= size);
  const [unit, size] = SPANS[first];
  const text = `${Math.floor(whole / size)}${GAP}${unit}`;
  const next = SPANS[first + 1];
  const rest = next && Math.floor((whole % size) / next[1]);
  return rest ? `${text}${GAP}${rest}${GAP}${next[0]}` : text;
}

/** How long ago, in its largest unit alone: "3 min ago", "just now". */
export function ago(seconds) {
  if (!isNumber(seconds)) return DASH;
  if (seconds < 2) return "just now";
  const whole = Math.floor(seconds);
  const [unit, size] = SPANS.find(([, span]) => whole >= span);
  return `${Math.floor(whole / size)}${GAP}${unit} ago`;
}

/** Parted by thousands, the same in every country: "12 345 678". */
export function count(value) {
  if (!isNumber(value)) return DASH;
  if (!Number.isInteger(value)) return significant(value);
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function decimal(value, unit) {
  if (value !== 0 && Math.abs(value) < 0.9995) {
    return `${significant(value * 1000)}${GAP}m${unit}`;
  }
  const [number, index] = scaled(value, 1000, DECIMAL.length - 1);
  return `${significant(number)}${GAP}${DECIMAL[index]}${unit}`;
}

const UNITS = {
  bytes,
  bytes_per_second: rate,
  percent,
  seconds: duration,
  celsius: (value) => `${value.toFixed(1)}${GAP}°C`,
  hertz: (value) => decimal(value, "Hz"),
  volts: (value) => decimal(value, "V"),
  watts: (value) => decimal(value, "W"),
  rpm: (value) => `${count(Math.round(value))}${GAP}rpm`,
  per_second: (value) => `${Math.abs(value) >= 1000 ? count(Math.round(value)) : significant(value)}/s`,
  count,
};

/** A value of a section by the unit that its plugin declares; a condition stands as it came. */
export function value(given, field) {
  if (given === null || given === undefined || given === "") return DASH;
  if (typeof given === "boolean") return given ? "yes" : "no";
  if (typeof given !== "number") return String(given);
  const write = UNITS[field?.unit];
  if (write) return write(given);
  if (field?.kind === "counter") return count(given);
  if (field?.kind === "state" || Number.isInteger(given)) return String(given);
  return significant(given);
}

/** The rate of a counter, by the counter's own unit. */
export function counterRate(given, field) {
  if (!isNumber(given)) return DASH;
  return field?.unit === "bytes" ? rate(given) : UNITS.per_second(given);
}

/** A key as words: "read_bytes" gives "Read bytes". */
export function words(key) {
  const text = String(key).replaceAll("_", " ").trim();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A moment of the server's clock (milliseconds) in the reader's own time zone. */
export function moment(milliseconds) {
  if (!isNumber(milliseconds)) return DASH;
  const at = new Date(milliseconds);
  const two = (number) => String(number).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
