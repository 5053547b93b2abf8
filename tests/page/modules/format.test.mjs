import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../../../vstats_server/web/page/parts/format.js";

const plain = (text) => text.replaceAll("\u00a0", " ").replaceAll("\u202f", " ");
const cases = (write, table) => {
  for (const [given, expected] of table) assert.equal(plain(write(given)), expected, `${given}`);
};
const MIB = 1024 ** 2;

test("bytes have three significant digits, and a unit that says what it is", () => {
  cases(format.bytes, [
    [0, "0 B"], [1, "1 B"], [999, "999 B"], [1000, "0.977 KiB"], [1023, "0.999 KiB"],
    [1024, "1.00 KiB"], [1536, "1.50 KiB"], [10 * 1024, "10.0 KiB"], [123 * 1024, "123 KiB"],
    [999.4 * 1024, "999 KiB"], [999.6 * 1024, "0.976 MiB"], [1.5 * MIB, "1.50 MiB"],
    [9.999 * MIB, "10.0 MiB"], [99.96 * MIB, "100 MiB"], [8589934592, "8.00 GiB"],
    [16e12, "14.6 TiB"], [2 ** 63, "8.00 EiB"],
  ]);
});

test("a rate is bytes a second", () => {
  cases(format.rate, [[0, "0 B/s"], [2048, "2.00 KiB/s"], [0.4, "0 B/s"]]);
});

test("what is missing is a dash, whatever it should have been", () => {
  for (const write of [format.bytes, format.rate, format.percent, format.load, format.duration,
    format.ago, format.count, format.significant, format.moment, format.counterRate]) {
    for (const missing of [null, undefined, NaN, Infinity, "12", {}]) {
      assert.equal(write(missing), "-", `${write.name} of ${missing}`);
    }
  }
  for (const missing of [null, undefined, ""]) assert.equal(format.value(missing, {}), "-");
});

test("no number is written with an exponent or with more than three digits after the first", () => {
  for (let power = -5; power < 15; power += 1) {
    for (const digit of [1, 1.005, 2.5, 9.9949, 9.996, 9.9999]) {
      const text = format.significant(digit * 10 ** power);
      assert.doesNotMatch(text, /e/i);
      assert.ok(text.replace(/^0\.0*/, "").replace(".", "").length <= Math.max(3, power + 2), text);
    }
  }
});

test("a share has one decimal, except where it is all", () => {
  cases(format.percent, [[0, "0.0 %"], [5.25, "5.3 %"], [45.2, "45.2 %"], [99.94, "99.9 %"],
    [99.95, "100 %"], [100, "100 %"]]);
});

test("a span is told in its two largest units", () => {
  cases(format.duration, [
    [0, "0 s"], [0.0000123, "12.3 µs"], [0.0123, "12.3 ms"], [0.9996, "1.00 s"], [4.25, "4.25 s"],
    [42, "42 s"], [60, "1 min"], [61, "1 min 1 s"], [3599.6, "1 h"], [3600, "1 h"],
    [12240, "3 h 24 min"], [86400, "1 d"], [90000, "1 d 1 h"], [400 * 86400 + 59, "400 d"],
    [-5, "-5 s"],
  ]);
});

test("how long ago is told in one unit", () => {
  cases(format.ago, [[0, "just now"], [1.9, "just now"], [2, "2 s ago"], [59.9, "59 s ago"],
    [180, "3 min ago"], [7199, "1 h ago"], [200000, "2 d ago"]]);
});

test("a count is parted by thousands, the same everywhere", () => {
  cases(format.count, [[0, "0"], [999, "999"], [1000, "1 000"], [12345678, "12 345 678"],
    [-1000, "-1 000"]]);
});

test("a value is written by the unit that its plugin declares", () => {
  const written = (value, unit, kind = "gauge") => plain(format.value(value, { unit, kind }));
  assert.equal(written(1536, "bytes"), "1.50 KiB");
  assert.equal(written(1536, "bytes_per_second"), "1.50 KiB/s");
  assert.equal(written(12.34, "percent"), "12.3 %");
  assert.equal(written(81.26, "celsius"), "81.3 °C");
  assert.equal(written(3.6e9, "hertz"), "3.60 GHz");
  assert.equal(written(0.85, "volts"), "850 mV");
  assert.equal(written(1.05, "volts"), "1.05 V");
  assert.equal(written(0, "watts"), "0 W");
  assert.equal(written(1250, "watts"), "1.25 kW");
  assert.equal(written(1800, "rpm"), "1 800 rpm");
  assert.equal(written(0.004, "seconds"), "4.00 ms");
  assert.equal(written(12.5, "per_second"), "12.5/s");
  assert.equal(written(12500, "count"), "12 500");
  assert.equal(written(4711, "none", "state"), "4711");
  assert.equal(written(1844674407, "none", "counter"), "1 844 674 407");
  assert.equal(written(true, "none", "state"), "yes");
  assert.equal(written("RAID degraded", "none", "state"), "RAID degraded");
});

test("a value that nobody has declared is written as it is", () => {
  assert.equal(format.value(4711), "4711");
  assert.equal(format.value(0.123456), "0.123");
  assert.equal(format.value("x"), "x");
  assert.equal(format.value(false), "no");
});

test("a counter's rate has the counter's unit", () => {
  assert.equal(plain(format.counterRate(2048, { unit: "bytes" })), "2.00 KiB/s");
  assert.equal(plain(format.counterRate(12.5, { unit: "count" })), "12.5/s");
});

test("a key is read as words", () => {
  assert.equal(format.words("read_bytes"), "Read bytes");
  assert.equal(format.words(""), "");
});
