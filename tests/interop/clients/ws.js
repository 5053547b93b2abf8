// A client on npm's `ws`: node ws.js FOLDER URL ROLE [TOKEN]; see test_clients.py for what it prints.
const [folder, url, role, token] = process.argv.slice(2);
const WebSocket = require(require.resolve("ws", { paths: [folder] }));
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

const headers = token ? { Authorization: `Bearer ${token}` } : {};
const socket = new WebSocket(url, { headers });
socket.on("open", () => {
  say({ event: "open" });
  if (role === "agent") require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean).forEach((m) => socket.send(m));
});
socket.on("message", (data) => say({ event: "message", data: data.toString() }));
socket.on("unexpected-response", (_, response) => { say({ event: "refused", status: response.statusCode }); process.exit(); });
socket.on("error", (error) => say({ event: "error", text: String(error) }));
socket.on("close", (code, reason) => say({ event: "close", code, reason: reason.toString() }));
