import assert from "node:assert/strict";
import { test } from "node:test";
import * as address from "../../../vstats_server/web/page/parts/address.js";
import { draw, intervalOf, runs } from "../../../vstats_server/web/page/store/history.js";
import { level, valuesAt } from "../../../vstats_server/web/page/store/levels.js";
import { clicked, sorted } from "../../../vstats_server/web/page/store/order.js";
import { Rates } from "../../../vstats_server/web/page/store/rates.js";

const host = (name, view, state = "online") => ({ name, tags: [], view: { level: 0, reasons: [], ...view }, state });
const names = (hosts) => hosts.map(({ name }) => name);
const stateOf = ({ state }) => state;

test("a column sorts high first, then low first, then not at all; names begin with A", () => {
  let sort = { key: "", upwards: false };
  const clicks = (key) => {
    sort = clicked(sort, key);
    return `${sort.key}${sort.upwards ? " up" : ""}`;
  };
  assert.deepEqual([clicks("cpu"), clicks("cpu"), clicks("cpu")], ["cpu", "cpu up", ""]);
  assert.deepEqual([clicks("name"), clicks("cpu")], ["name up", "cpu"]);
});

test("offline is last and never seen after it, whichever way is up; missing is after present", () => {
  const hosts = [
    host("never", { cpu: null }, "never"), host("offline", { cpu: 99 }, "offline"),
    host("low", { cpu: 1 }), host("missing", { cpu: null }), host("high", { cpu: 90 }),
  ];
  assert.deepEqual(names(sorted(hosts, { key: "cpu", upwards: false }, stateOf)),
    ["high", "low", "missing", "offline", "never"]);
  assert.deepEqual(names(sorted(hosts, { key: "cpu", upwards: true }, stateOf)),
    ["low", "high", "missing", "offline", "never"]);
});

test("equals stay as configured, and without a sort so do all", () => {
  const hosts = [host("b", { cpu: 1 }), host("a", { cpu: 1 }), host("off", {}, "offline"), host("c", { cpu: 1 })];
  assert.deepEqual(names(sorted(hosts, { key: "cpu", upwards: false }, stateOf)), ["b", "a", "c", "off"]);
  assert.deepEqual(names(sorted(hosts, { key: "", upwards: false }, stateOf)), ["b", "a", "off", "c"]);
});

test("names sort as people count", () => {
  const hosts = ["web-10", "web-9", "Web-1"].map((name) => host(name, {}));
  assert.deepEqual(names(sorted(hosts, { key: "name", upwards: true }, stateOf)), ["Web-1", "web-9", "web-10"]);
});

test("an address says what is shown, and reads back as it was written", () => {
  const state = { host: "web-1", show: "attention", q: 'tag:eu cpu>80 "a & b"#', sort: { key: "cpu", upwards: true }, view: "cards" };
  assert.deepEqual(address.read(address.write(state)), state);
  assert.equal(address.write(address.read("")), "#");
});

test("an address that says nonsense shows the list", () => {
  assert.deepEqual(address.read("#show=nothing&view=globe&x=1"), address.read(""));
});

const at = (...times) => times.map((time) => ({ at: time * 1000, cpu: 10 }));

test("a gap is a gap: two and a half intervals without a report part the line", () => {
  assert.equal(runs(at(0, 1, 2, 3), "cpu", 1000).length, 1);
  assert.equal(runs(at(0, 1, 2, 10, 11), "cpu", 1000).length, 2);
  assert.equal(runs(at(0, 60, 120), "cpu", 60_000).length, 1);
  const { line } = draw(at(0, 1, 10, 11), "cpu", { width: 60, height: 20, interval: 1000, top: 100 });
  assert.equal(line.match(/M/g).length, 2);
});

test("a report without the value is a gap, too, and never a zero", () => {
  const points = at(0, 1, 2, 3);
  points[1].cpu = null;
  assert.deepEqual(runs(points, "cpu", 1000).map((run) => run.length), [1, 2]);
});

test("the newest point is at the right edge, and its place is its time", () => {
  const { line } = draw(at(0, 1, 59), "cpu", { width: 59, height: 20, interval: 1000, top: 100 });
  assert.match(line, /^M0\.0 .*L1\.0 .*M59\.0 .*h0$/);
});

test("the interval is what the agent declares, else what was seen", () => {
  assert.equal(intervalOf(2, []), 2000);
  assert.equal(intervalOf(undefined, at(0, 5, 10)), 5000);
  assert.equal(intervalOf(undefined, []), 1000);
});

test("a level is reached at its number; higher is worse", () => {
  const levels = { warn: 80, critical: 95 };
  assert.deepEqual([79.9, 80, 94.9, 95].map((value) => level(value, levels)), [0, 1, 1, 2]);
  assert.equal(level("hot", levels), 0);
  assert.equal(level(99, { warn: 50 }), 1);
  assert.equal(level(99, undefined), 0);
});

test("a declared path finds every value, and nothing where there is none", () => {
  const found = (content, path) => [...valuesAt(content, path)].map(([value]) => value);
  assert.deepEqual(found({ a: { b: 1 } }, "a.b"), [1]);
  assert.deepEqual(found([{ x: 1 }, { x: 2 }, {}], "[].x"), [1, 2]);
  assert.deepEqual(found({ t: [{ x: [1, 2] }] }, "t[].x[]"), [1, 2]);
  assert.deepEqual(found(5, ""), [5]);
  assert.deepEqual(found({ a: null }, "a.b"), []);
  assert.deepEqual(found({}, "constructor.name"), []);
});

test("a counter's rate is between two reports, and none where it went backwards", () => {
  const rates = new Rates();
  assert.equal(rates.of("a", 100, 1000), null);
  assert.equal(rates.of("a", 300, 3000), 100);
  assert.equal(rates.of("a", 300, 3000), 100);
  assert.equal(rates.of("a", 5, 4000), null);
});
