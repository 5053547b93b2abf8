// How fast counters grow.

/** Remembers a host's counters from report to report, so that their rates can be shown. */
export class Rates {
  constructor() {
    this.known = new Map();
  }

  /** Return the rate of a counter a second, or null as long as it was seen once only. */
  of(key, value, at) {
    const before = this.known.get(key);
    if (!before || at > before.at) {
      const grown = before && value >= before.value;
      const rate = grown ? ((value - before.value) / (at - before.at)) * 1000 : null;
      this.known.set(key, { value, at, rate });
    }
    return this.known.get(key).rate;
  }
}
