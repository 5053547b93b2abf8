import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../../vstats_server/web/page/store/store.js";

const START = Date.parse("2024-01-01T12:00:00Z");

/** A store with a clock to set by hand; the server's clock is far off the browser's. */
function setting() {
  const here = { now: 1_000_000 };
  const store = new Store(() => here.now);
  store.connected();
  const stamp = (ago = 0) =>
    new Date(START + here.now - 1_000_000 - ago * 1000).toISOString().replace(/\.\d+/, "");
  const tell = (type, data, ago) => store.apply({ type, data, timestamp: stamp(ago) });
  return {
    here, store,
    add: (id = "a", more = {}) => tell("server_added", { id, name: id, location: "", tags: [], ...more }),
    status: (online, ago, id = "a") => tell("status", { server_id: id, online }, ago),
    metrics: (metrics = {}, ago = 0, id = "a") => tell("metrics", {
      server_id: id, metrics: { agent: { version: "1", interval: 1 }, ...metrics } }, ago),
    tell,
    host: (id = "a") => store.hosts.get(id),
    state: (id = "a") => store.state(store.hosts.get(id)),
  };
}

test("never seen, waiting, online, stale and offline are five things", () => {
  const { here, add, status, metrics, state } = setting();
  add();
  assert.equal(state(), "waiting");
  status(false);
  assert.equal(state(), "never");
  status(true);
  assert.equal(state(), "waiting");
  metrics();
  assert.equal(state(), "online");
  here.now += 10_001;
  assert.equal(state(), "stale");
  metrics();
  assert.equal(state(), "online");
  status(false);
  assert.equal(state(), "offline");
});

test("a host that was online and never reported is offline, not never seen", () => {
  const { add, status, state } = setting();
  add();
  status(true);
  status(false);
  assert.equal(state(), "offline");
});

test("what is stale depends on the interval that the agent declares", () => {
  const { here, add, status, metrics, state } = setting();
  add();
  status(true);
  metrics({ agent: { interval: 60 } });
  here.now += 179_000;
  assert.equal(state(), "online");
  here.now += 2_000;
  assert.equal(state(), "stale");
});

test("last seen goes by the server's clock, whatever the browser's says", () => {
  const { here, add, status, metrics, store, host } = setting();
  add();
  status(false, 120);
  metrics({}, 180);
  assert.equal(store.seenAgo(host()), 180);
  here.now += 5_000;
  assert.equal(store.seenAgo(host()), 185);
});

test("a snapshot's report is as old as it is", () => {
  const { add, status, metrics, state, host, here } = setting();
  add();
  status(true);
  metrics({ cpu: { usage: 5, cores: 1 } }, 30);
  assert.equal(state(), "stale");
  assert.equal(host().history.newest.at, here.now - 30_000);
});

test("an agent that reports seldom was seen when its connection ended", () => {
  const { add, status, metrics, store, host } = setting();
  add();
  metrics({ agent: { interval: 3600 } }, 3000);
  status(false, 60);
  assert.equal(store.seenAgo(host()), 60);
});

test("after a reconnection the report that is known already is not drawn twice", () => {
  const { here, store, add, status, metrics, host } = setting();
  add();
  status(true);
  metrics();
  here.now += 20_000;
  store.connected();
  add();
  status(true);
  metrics({}, 20);
  assert.equal(host().history.points.length, 1);
  metrics();
  assert.equal(host().history.points.length, 2);
});

test("after a restart of the server the last values stay, and the host waits", () => {
  const { store, add, status, metrics, state, host } = setting();
  add();
  status(true);
  metrics({ cpu: { usage: 50, cores: 2 } });
  store.connected();
  add();
  assert.equal(state(), "waiting");
  assert.equal(host().view.cpu, 50);
});

test("a host that a new snapshot does not name is forgotten", () => {
  const { store, add } = setting();
  add("a");
  add("b");
  store.connected();
  add("b");
  store.prune();
  assert.deepEqual([...store.hosts.keys()], ["b"]);
});

test("hosts stand in the order of the newest snapshot", () => {
  const { store, add } = setting();
  for (const id of ["a", "b", "c"]) add(id);
  store.connected();
  for (const id of ["c", "a", "b"]) add(id);
  assert.deepEqual([...store.hosts.keys()], ["c", "a", "b"]);
});

test("a removed host is gone, and what still comes of it is nobody's", () => {
  const { store, add, metrics, tell } = setting();
  add();
  tell("server_removed", { id: "a" });
  metrics();
  assert.equal(store.hosts.size, 0);
});

test("a message of a kind that is not known changes nothing", () => {
  const { store, add, tell } = setting();
  add();
  tell("weather", { sun: true });
  tell("weather", undefined);
  assert.equal(store.hosts.size, 1);
});

test("the history holds sixty points and no more", () => {
  const { add, metrics, host } = setting();
  add();
  for (let n = 0; n < 100; n += 1) metrics();
  assert.equal(host().history.points.length, 60);
});

test("the worst disk is the fullest, and what is missing is null and never zero", () => {
  const { add, metrics, host } = setting();
  add();
  metrics({ disks: [{ mount_point: "/", usage_percent: 3 }, { mount_point: "/b", usage_percent: 9 }] });
  assert.equal(host().view.worstDisk.mount_point, "/b");
  for (const key of ["cpu", "memory", "load", "perCore", "down", "up", "uptime"]) {
    assert.equal(host().view[key], null, key);
  }
});

test("levels, failing collectors and a plugin's own levels want attention, the worst first", () => {
  const { add, metrics, tell, host } = setting();
  add();
  tell("describe", { server_id: "a", sections: { sensors: { title: "Sensors", fields: {
    "temperatures[].current": { title: "Temperature", unit: "celsius", kind: "gauge", warn: 80, critical: 95 },
  } } } });
  metrics({
    memory: { usage_percent: 88 },
    collectors: { disks: { ok: false, age: 9, duration: 5, error: "timed out" }, cpu: { ok: true } },
    sensors: { temperatures: [{ label: "a", current: 96 }, { label: "b", current: 20 }] },
  });
  const { reasons, level } = host().view;
  assert.equal(level, 2);
  assert.deepEqual(reasons.map(({ text }) => text.replaceAll("\u00a0", " ")),
    ["a: Temperature 96.0 °C", "memory 88.0 %", "disks: timed out"]);
});

test("load is judged by the number of CPUs", () => {
  const { add, metrics, host } = setting();
  add();
  metrics({ cpu: { usage: 1, cores: 64 }, load_average: { one: 32 } });
  assert.equal(host().view.levels.load, 0);
  metrics({ cpu: { usage: 1, cores: 2 }, load_average: { one: 32 } });
  assert.equal(host().view.levels.load, 2);
});
