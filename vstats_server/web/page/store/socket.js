// The connection: one WebSocket that comes back by itself, however it was lost.

const FIRST = 1000;
const LONGEST = 30_000;
const HEALTHY = 10_000;
const SILENT = 45_000;
const REVOKED = 4403;

/** Keeps one connection to `url`, and says how it fares.
 *
 * `state` is "connecting", "live" or "waiting"; while waiting, `retryAt` says when it tries again.
 * `onRefused` is called when a page that was let in may not be any more: for certain (true), or
 * perhaps (false), since of a handshake that fails a page is not told why.
 * Everything of the browser's can be given by a test.
 */
export class Connection {
  constructor(url, { Socket = WebSocket, timers = globalThis, now = () => performance.now(),
    random = Math.random } = {}) {
    this.url = url;
    this.state = "connecting";
    this.retryAt = 0;
    this.onMessage = () => {};
    this.onOpen = () => {};
    this.onChange = () => {};
    this.onRefused = () => {};
    this.Socket = Socket;
    this.timers = timers;
    this.now = now;
    this.random = random;
    this.delay = FIRST;
    this.heardAt = 0;
    this.wasLive = false;
    this.socket = null;
  }

  connect() {
    this.timers.clearTimeout(this.timer);
    const socket = new this.Socket(this.url);
    this.socket = socket;
    this.heardAt = this.now();
    let opened = false;
    this.#change("connecting");
    // What an older socket still says is nobody's business.
    const mine = (handle) => (event) => this.socket === socket && handle(event);
    socket.onopen = mine(() => {
      opened = this.wasLive = true;
      this.heardAt = this.now();
      this.healthy = this.timers.setTimeout(() => { this.delay = FIRST; }, HEALTHY);
      this.onOpen();
      this.#change("live");
    });
    socket.onmessage = mine((event) => {
      this.heardAt = this.now();
      this.onMessage(JSON.parse(event.data));
    });
    socket.onclose = mine((event) => {
      this.#lost();
      if (event.code === REVOKED) this.onRefused(true);
      else if (this.wasLive && !opened) this.onRefused(false);
    });
  }

  /** Try at once, unless there is a connection that is well: the tab or the network is back. */
  wake(expectsNews) {
    if (this.state === "waiting") this.connect();
    else this.check(expectsNews);
  }

  /** Begin anew where nothing has come for long although it should have. */
  check(expectsNews) {
    if (this.state === "waiting" || !expectsNews || this.now() - this.heardAt <= SILENT) return;
    // Half open, most likely: a page has no other way to know.
    this.timers.clearTimeout(this.healthy);
    const socket = this.socket;
    this.connect();
    socket.close();
  }

  #lost() {
    this.timers.clearTimeout(this.healthy);
    const wait = this.delay * (0.5 + this.random() / 2);
    this.delay = Math.min(this.delay * 2, LONGEST);
    this.retryAt = this.now() + wait;
    this.timer = this.timers.setTimeout(() => this.connect(), wait);
    this.#change("waiting");
  }

  #change(state) {
    this.state = state;
    this.onChange();
  }
}
