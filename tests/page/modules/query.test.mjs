import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../../../vstats_server/web/page/store/query.js";
import { look } from "../../../vstats_server/web/page/store/store.js";

const host = (changes = {}, report = {}) => {
  const whole = {
    hostname: "web1.example.org",
    os: { name: "Debian", version: "12" },
    cpu: { usage: 85, cores: 4 },
    memory: { usage_percent: 40 },
    disks: [{ usage_percent: 70, mount_point: "/" }],
    network: { rx: 2 * 1024 ** 2, tx: 100 },
    uptime: 7200,
    load_average: { one: 2 },
    ...report,
  };
  return {
    id: "web-1", name: "Web 1", location: "US-West", tags: ["eu", "front end"], report: whole,
    view: look(whole), ...changes,
  };
};
const passes = (text, given = host(), state = "online") => parse(text).test(given, state);
const bare = { id: "new", name: "New", location: "", tags: [], report: null, view: { cpu: null, reasons: [], trouble: [], level: 0 } };

test("nothing in the box lets every host through", () => {
  assert.ok(passes(""));
  assert.ok(passes("   ", bare, "never"));
});

test("words are looked for in name, id, host name, place, system and tags, in any case", () => {
  for (const text of ["web", "WEB 1", "web-1", "example.org", "west", "debian", "DEBIAN 12", "eu"]) {
    assert.ok(passes(text), text);
  }
  assert.ok(!passes("ubuntu"));
});

test("all words must be there", () => {
  assert.ok(passes("web eu"));
  assert.ok(!passes("web us-east"));
});

test("quotation marks keep words together", () => {
  assert.ok(passes('tag:"front end"'));
  assert.ok(passes('"web 1"'));
  assert.ok(!passes('"1 web"'));
});

test("a key looks in one place alone", () => {
  assert.ok(passes("tag:eu"));
  assert.ok(!passes("tag:web"));
  assert.ok(passes("os:debian"));
  assert.ok(!passes("os:eu"));
  assert.ok(passes("location:us"));
  assert.ok(passes("host:example"));
  assert.ok(!passes("name:example"));
});

test("numbers are compared, with the units that people write", () => {
  for (const text of ["cpu>80", "cpu>=85", "cpu=85", "cpu<=85", "mem<50", "memory<50%", "disk>69.9",
    "load>1", "cores=4", "down>1M", "down>1.5MiB", "down>1mb/s", "up<1k", "uptime>1h", "uptime<1d",
    "uptime=7200", "CPU>80"]) {
    assert.ok(passes(text), text);
  }
  for (const text of ["cpu>85", "cpu<85", "mem>50", "down>3M", "uptime<30min"]) {
    assert.ok(!passes(text), text);
  }
});

test("a number that is missing is neither above nor below", () => {
  assert.ok(!passes("cpu>0", bare));
  assert.ok(!passes("cpu<100", bare));
});

test("a status is the host's own", () => {
  assert.ok(passes("status:offline", host(), "offline"));
  assert.ok(!passes("status:offline", host(), "never"));
  assert.ok(passes("status:never", bare, "never"));
  assert.ok(passes("status:stale", host(), "stale"));
  assert.ok(!passes("status:online", host(), "stale"));
  assert.ok(passes("status:off", host(), "offline"));
  assert.ok(passes("status:attention", host({}, { cpu: { usage: 97, cores: 4 } })));
  assert.ok(passes("status:critical", host({}, { cpu: { usage: 97, cores: 4 } })));
  assert.ok(!passes("status:attention", host({}, { cpu: { usage: 7, cores: 4 } })));
  assert.ok(passes("status:failing", host({}, { collectors: { disks: { ok: false } } })));
});

test("a minus turns a term around", () => {
  assert.ok(!passes("-tag:eu"));
  assert.ok(passes("-tag:us web"));
  assert.ok(passes("-status:offline"));
  assert.ok(!passes("-cpu>80"));
});

test("what cannot be read is named, and does not hide every host", () => {
  for (const [text, word] of [["cpu>high", "number"], ["ram>5", "ram"], ["status:green", "status"]]) {
    const { test: passed, problem } = parse(text);
    assert.match(problem, new RegExp(word));
    assert.ok(passed(host(), "online"));
  }
  assert.equal(parse("tag:eu cpu>80").problem, "");
});

test("a colon that is no key of ours is text", () => {
  assert.ok(passes("foo:bar", host({ name: "foo:bar" })));
  assert.ok(!passes("foo:bar"));
});

test("nothing that can be typed throws", () => {
  for (const text of ['"', "-", "tag:", ":", ">", "cpu>", "-\"", "((", "\\", "cpu>>1", "a".repeat(1e5)]) {
    parse(text).test(host(), "online");
  }
});
