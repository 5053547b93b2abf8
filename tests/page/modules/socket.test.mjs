import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "../../../vstats_server/web/page/store/socket.js";

function setting(random = () => 1) {
  const here = { now: 0, timers: new Map(), last: 0, sockets: [] };
  const timers = {
    setTimeout(call, wait) {
      here.last += 1;
      here.timers.set(here.last, { call, at: here.now + wait });
      return here.last;
    },
    clearTimeout: (number) => here.timers.delete(number),
  };
  class Socket {
    constructor(url) {
      this.url = url;
      here.sockets.push(this);
    }

    close() {
      this.closed = true;
    }
  }
  const connection = new Connection("ws://x/ws", { Socket, timers, now: () => here.now, random });
  const pass = (milliseconds) => {
    const end = here.now + milliseconds;
    for (;;) {
      const due = [...here.timers].filter(([, { at }]) => at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      here.timers.delete(due[0]);
      here.now = due[1].at;
      due[1].call();
    }
    here.now = end;
  };
  return { here, connection, pass, socket: () => here.sockets.at(-1) };
}

test("waits one second, doubling to thirty", () => {
  const { here, connection, pass, socket } = setting();
  connection.connect();
  const waits = [];
  for (let n = 0; n < 7; n += 1) {
    socket().onclose({});
    waits.push(connection.retryAt - here.now);
    pass(connection.retryAt - here.now);
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.equal(here.sockets.length, 8);
});

test("each wait is a random half to whole of it", () => {
  for (const [chance, wait] of [[0, 500], [0.5, 750], [1, 1000]]) {
    const { connection, socket, here } = setting(() => chance);
    connection.connect();
    socket().onclose({});
    assert.equal(connection.retryAt - here.now, wait);
  }
});

test("begins at one second again after ten that were well, and not before", () => {
  for (const [lived, wait] of [[9_000, 4000], [10_000, 1000]]) {
    const { here, connection, pass, socket } = setting();
    connection.connect();
    socket().onclose({});
    pass(1000);
    socket().onclose({});
    pass(2000);
    socket().onopen({});
    pass(lived);
    socket().onclose({});
    assert.equal(connection.retryAt - here.now, wait);
  }
});

test("tries at once when the tab or the network is back, and only once", () => {
  const { here, connection, pass, socket } = setting();
  connection.connect();
  socket().onclose({});
  connection.wake(false);
  assert.equal(here.sockets.length, 2);
  connection.wake(false);
  pass(60_000);
  assert.equal(here.sockets.length, 2);
});

test("leaves a connection alone that is well", () => {
  const { here, connection, pass, socket } = setting();
  connection.connect();
  socket().onopen({});
  pass(44_000);
  connection.wake(true);
  pass(60_000);
  connection.wake(false);
  assert.equal(here.sockets.length, 1);
});

test("begins anew where nothing has come for long although it should have", () => {
  const { here, connection, pass, socket } = setting();
  connection.connect();
  const first = socket();
  first.onopen({});
  pass(46_000);
  connection.check(true);
  assert.equal(here.sockets.length, 2);
  assert.ok(first.closed);
  first.onclose({});
  assert.equal(connection.state, "connecting");
});

test("hands on what comes, and says what has become of it", () => {
  const { connection, socket } = setting();
  const seen = [];
  connection.onMessage = (message) => seen.push(message);
  connection.onChange = () => seen.push(connection.state);
  connection.connect();
  socket().onopen({});
  socket().onmessage({ data: '{"type":"status"}' });
  socket().onclose({});
  assert.deepEqual(seen, ["connecting", "live", { type: "status" }, "waiting"]);
});

test("a revoked page is refused for certain, one that cannot come back perhaps, a new one never", () => {
  const { connection, pass, socket } = setting();
  const refused = [];
  connection.onRefused = (certain) => refused.push(certain);
  connection.connect();
  socket().onclose({ code: 1006 });
  assert.deepEqual(refused, []);
  pass(1000);
  socket().onopen({});
  socket().onclose({ code: 1001 });
  assert.deepEqual(refused, []);
  pass(2000);
  socket().onclose({ code: 1006 });
  assert.deepEqual(refused, [false]);
  pass(4000);
  socket().onopen({});
  socket().onclose({ code: 4403 });
  assert.deepEqual(refused, [false, true]);
});
