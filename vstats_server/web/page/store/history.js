// The last 60 reports of a host, and how they look as a line.

export const POINTS = 60;

/** The newest points, each with the time (milliseconds, the browser's) when it came. */
export class History {
  constructor() {
    this.points = [];
  }

  add(point) {
    this.points.push(point);
    if (this.points.length > POINTS) this.points.shift();
  }

  get newest() {
    return this.points.at(-1);
  }
}

/** Return the runs of points that are not parted by a gap: more than two and a half intervals. */
export function runs(points, key, interval) {
  const longest = Math.max(2.5 * interval, 2500);
  const found = [];
  let run = [];
  let before = -Infinity;
  for (const point of points) {
    const known = typeof point[key] === "number";
    if (!known || point.at - before > longest) {
      if (run.length) found.push(run);
      run = [];
    }
    if (known) {
      run.push(point);
      before = point.at;
    }
  }
  if (run.length) found.push(run);
  return found;
}

/** Return the milliseconds between two reports: as declared, else as seen, else a second. */
export function intervalOf(declared, points) {
  if (declared > 0) return declared * 1000;
  if (points.length > 1) return (points.at(-1).at - points[0].at) / (points.length - 1);
  return 1000;
}

/** Return the path data of a line and of the area under it, in a box of `width` by `height`.
 *
 * The newest point is at the right edge, and a point's place is its time: a gap stays a gap.
 */
export function draw(points, key, { width, height, interval, top }) {
  const newest = points.at(-1)?.at ?? 0;
  const span = interval * (POINTS - 1);
  const x = (point) => (width * (1 - (newest - point.at) / span)).toFixed(1);
  const y = (point) => (height - (height - 1) * Math.min(1, point[key] / top) - 0.5).toFixed(1);
  let line = "";
  let area = "";
  for (const run of runs(points, key, interval)) {
    const seen = run.filter((point) => newest - point.at <= span);
    if (!seen.length) continue;
    const path = seen.map((point) => `${x(point)} ${y(point)}`).join("L");
    // One point alone is a dot, a line of no length with round ends; the very first is not yet one.
    if (points.length === 1) break;
    line += `M${path}${seen.length === 1 ? "h0" : ""}`;
    area += `M${x(seen[0])} ${height}L${path}L${x(seen.at(-1))} ${height}Z`;
  }
  return { line, area };
}

/** Return the highest of the values, for the scale of a chart that has no natural top. */
export function highest(points, ...keys) {
  let top = 0;
  for (const point of points) {
    for (const key of keys) if (point[key] > top) top = point[key];
  }
  return top;
}
