// What the page knows of every host: the messages of the wire, applied in order. No DOM here.

import { History, intervalOf } from "./history.js";
import { LEVELS, level, levelled, reasons } from "./levels.js";

/** A host is in one of these states, and in no two. */
export const STATES = {
  online: "online",
  stale: "stale",
  offline: "offline",
  never: "never seen",
  waiting: "waiting",
};

const STALE_AFTER = 10_000;
const NOTHING = {
  cpu: null, cores: null, memory: null, disk: null, worstDisk: null, load: null, perCore: null,
  down: null, up: null, uptime: null, trouble: [], collectors: 0, reasons: [], level: 0,
  levels: { cpu: 0, memory: 0, disk: 0, load: 0 },
};

export class Store {
  /** `now` returns the browser's milliseconds, which only grow. */
  constructor(now) {
    this.now = now;
    this.hosts = new Map();
    this.clock = new ServerClock(now);
    this.generation = 0;
    /** When anything last came, the browser's milliseconds. */
    this.heardAt = null;
    this.addedAt = 0;
    this.onHost = () => {};
    this.onHosts = () => {};
  }

  /** A new connection begins: what follows is a snapshot, and says anew which hosts there are. */
  connected() {
    this.generation += 1;
    this.clock.forget();
    this.addedAt = this.now();
  }

  apply({ type, data, timestamp }) {
    const at = Date.parse(timestamp ?? "");
    this.heardAt = this.now();
    if (!Number.isNaN(at)) this.clock.heard(at);
    if (type === "server_added") {
      this.#added(data);
      return;
    }
    const id = type === "server_removed" ? data.id : data?.server_id;
    const host = this.hosts.get(id);
    if (!host) return;
    if (type === "server_removed") {
      this.hosts.delete(id);
      this.onHosts();
    } else if (type === "status") {
      host.online = data.online;
      host.statusAt = at;
      host.wasOnline ||= data.online;
      this.onHosts();
    } else if (type === "describe") {
      host.sections = data.sections;
      host.watched = levelled(data.sections);
      this.#look(host);
    } else if (type === "metrics") {
      this.#metrics(host, data.metrics, at);
    }
  }

  /** Forget the hosts that a new connection's snapshot has not named; true if there were any. */
  prune() {
    const before = this.hosts.size;
    for (const host of this.hosts.values()) {
      if (host.generation !== this.generation) this.hosts.delete(host.id);
    }
    if (this.hosts.size !== before) this.onHosts();
  }

  #added(data) {
    const known = this.hosts.get(data.id);
    const host = known ?? {
      report: null, reportAt: null, sections: {}, watched: [], view: NOTHING,
      history: new History(), wasOnline: false,
    };
    host.id = data.id;
    host.name = data.name || data.id;
    host.location = data.location ?? "";
    host.tags = data.tags ?? [];
    // What it was before this connection is not known to hold: its status follows, if there is one.
    host.online = null;
    host.statusAt = null;
    host.generation = this.generation;
    host.fresh = false;
    this.addedAt = this.now();
    this.hosts.delete(data.id);
    this.hosts.set(data.id, host);
    host.search = null;
    this.onHosts();
  }

  #metrics(host, report, at) {
    const now = this.now();
    // A connection's first may be a report that was there long before.
    const age = host.fresh ? 0 : Math.max(0, this.clock.at() - at);
    const repeated = !host.fresh && at === host.reportAt;
    host.fresh = true;
    host.report = report;
    host.reportAt = at;
    host.heardAt = now - age;
    host.search = null;
    this.#look(host);
    if (!repeated) {
      const { cpu, memory, down, up } = host.view;
      host.history.add({ at: now - age, cpu, memory, down, up });
    }
  }

  #look(host) {
    if (host.report) host.view = look(host.report, host.watched);
    this.onHost(host);
  }

  /** Return the host's state by the server's clock, frozen at `now` while nothing comes. */
  state(host, now = this.now()) {
    if (host.online === null) return "waiting";
    if (!host.online) return host.report || host.wasOnline ? "offline" : "never";
    if (!host.report) return "waiting";
    return now - host.heardAt > staleAfter(host) ? "stale" : "online";
  }

  /** Return the seconds since the host was last heard of, by the server's clock. */
  seenAgo(host) {
    const { reportAt, statusAt } = host;
    // An agent that reports seldom was alive for long after its last report.
    const seldom = intervalOf(host.report?.agent?.interval, []) > 30_000;
    const at = reportAt === null || (seldom && statusAt > reportAt) ? statusAt : reportAt;
    return at === null ? null : Math.max(0, this.clock.at() - at) / 1000;
  }
}

/** The server's clock, as far as its whole seconds tell. */
class ServerClock {
  constructor(now) {
    this.now = now;
    this.forget();
  }

  forget() {
    this.offset = -Infinity;
  }

  heard(at) {
    // No message is from the future, and each was cut down to its second: the highest is nearest.
    this.offset = Math.max(this.offset, at - this.now());
  }

  at() {
    return this.now() + (Number.isFinite(this.offset) ? this.offset : 0);
  }
}

function staleAfter(host) {
  const declared = host.report.agent?.interval;
  if (declared > 0) return Math.max(STALE_AFTER, 3000 * declared);
  const { points } = host.history;
  return points.length > 1 ? Math.max(60_000, 3 * intervalOf(0, points)) : Infinity;
}

const number = (value) => (typeof value === "number" ? value : null);

/** Return what a row shows of a report. */
export function look(report, watched = []) {
  const { cpu, memory, network, load_average: load, collectors = {} } = report;
  const disks = Array.isArray(report.disks) ? report.disks : [];
  const worst = disks.reduce(
    (worst, disk) => (worst && worst.usage_percent >= disk.usage_percent ? worst : disk), null);
  const cores = number(cpu?.cores);
  const view = {
    cpu: number(cpu?.usage),
    cores,
    memory: number(memory?.usage_percent),
    disk: number(worst?.usage_percent),
    worstDisk: worst,
    load: number(load?.one),
    perCore: cores && load ? load.one / cores : null,
    down: number(network?.rx),
    up: number(network?.tx),
    uptime: number(report.uptime),
    collectors: Object.keys(collectors).length,
    trouble: Object.entries(collectors)
      .filter(([, health]) => health.ok === false)
      .map(([name, health]) => ({ name, ...health })),
  };
  view.levels = {
    cpu: level(view.cpu, LEVELS.cpu),
    memory: level(view.memory, LEVELS.memory),
    disk: level(view.disk, LEVELS.disk),
    load: level(view.perCore, LEVELS.load),
  };
  view.reasons = reasons(view, report, watched);
  view.level = view.reasons[0]?.level ?? 0;
  return view;
}
