// A client on npm's `undici`, with the browser's interface: node undici.js FOLDER URL ROLE [TOKEN].
const [folder, url, role, token] = process.argv.slice(2);
const { WebSocket } = require(require.resolve("undici", { paths: [folder] }));
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const socket = new WebSocket(url, token ? { headers: { Authorization: `Bearer ${token}` } } : {});
socket.addEventListener("open", () => {
  say({ event: "open" });
  if (role === "agent") require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean).forEach((m) => socket.send(m));
});
socket.addEventListener("message", (event) => say({ event: "message", data: event.data }));
socket.addEventListener("close", (event) => say({ event: "close", code: event.code, reason: event.reason }));
socket.addEventListener("error", () => say({ event: "error" }));
