// The live page asks for the status each second, more often while commands are held, and
// shows it. It stops while nobody looks at it.
import { Chart, spanFor } from "./chart.js";
import { drawDeployment } from "./deployment.js";
import { byId, bytes, clock, html, micros, number, setText, wholeSpan } from "./dom.js";
import { showFailovers } from "./failovers.js";
import { chosenOf, onChoice } from "./masters.js";
import { figuresOf, markOf, sentenceOf, stateOf, wordOf } from "./state.js";
import { showClients, showNodes, showSentinels } from "./tables.js";

const pace = 1000, paceHeld = 300, patience = 4000, kept = 600;

const charts = [
  new Chart("commands", "Throughput", [{ key: "commands_per_second", name: "commands/s" }], (v) => number(v)),
  new Chart("latency", "Latency", [{ key: "p50_us", name: "median" }, { key: "p99_us", name: "99 %" }], (v) => (v ? micros(v) : "–"), true),
  new Chart("held", "Held commands", [{ key: "held", name: "commands" }], (v) => number(v)),
  new Chart("bytes", "Bytes", [{ key: "bytes_in_per_second", name: "in/s" }, { key: "bytes_out_per_second", name: "out/s" }], (v) => bytes(v)),
];
const narrow = matchMedia("(max-width: 720px)");
let history = [], latest = null, paused = false, timer = 0, lostSince = null, drawn = "", skew = 0, about = "", turn = 0;

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  skew = new Date(response.headers.get("Date")).getTime() - Date.now();
  return response.json();
}

// withSentinels gives a status of a deployment without Sentinels (discovery dns or static)
// the parts that the page reads.
function withSentinels(status) {
  status.sentinel ??= { master_name: "", view: status.discovery?.view ?? { master: status.proxy.master, reason: "" }, configured: 0, majority: 0, sentinels: [], replicas: [] };
  return status;
}

// serverNow is the server's clock, to the second: ages are its own.
const serverNow = () => (Math.abs(skew) < 2000 ? Date.now() : Date.now() + skew);

// update asks and shows, also while paused if it must. Where another one has begun meanwhile,
// since another master was chosen, that one goes on.
async function update(must) {
  clearTimeout(timer);
  const mine = ++turn;
  if (must || (!paused && !document.hidden)) {
    try {
      const [name, status] = chosenOf(await ask("api/status"));
      const before = name === about ? history : [];
      const samples = await ask(`api/history?${new URLSearchParams({ master: name, after: before.at(-1)?.at ?? 0 })}`);
      if (mine !== turn) return;
      about = name;
      latest = withSentinels(status);
      lostSince = null;
      history = [...before, ...samples].slice(-kept);
      show(status);
    } catch (error) {
      if (mine !== turn) return;
      lose(error);
    }
  }
  timer = setTimeout(() => update(), latest && !lostSince && stateOf(latest) !== "serving" ? paceHeld : pace);
}

// lose says that nothing is known any more; what was known last stays on the page.
function lose() {
  lostSince ??= Date.now();
  head("lost", `steadis has not answered since ${clock(lostSince)}. What is shown below was true then.`);
}

function head(state, sentence) {
  byId("top").dataset.state = state;
  byId("badge").setAttribute("d", markOf(state));
  if (byId("state").textContent !== wordOf(state)) setText(byId("announce"), `${wordOf(state)}. ${sentence}`);
  setText(byId("state"), wordOf(state));
  setText(byId("sentence"), sentence);
  document.title = `${wordOf(state)} · ${about ? `${about} · ` : ""}steadis`;
}

function show(status) {
  const now = serverNow(), p = status.proxy;
  head(stateOf(status), sentenceOf(status, now));
  setText(byId("name"), status.sentinel.master_name ? ` · ${status.sentinel.master_name}` : "");
  showFigures(figuresOf(status, now));
  draw(status);
  showSentinels(status.sentinel);
  showNodes(status);
  const end = history.at(-1)?.at ?? now;
  setText(byId("n-traffic"), `the last ${spanFor(history, end)[0]} minutes`);
  for (const chart of charts) chart.draw(history, end);
  showFailovers(status.failovers, now);
  setText(byId("n-clients"), p.clients > p.connected.length ? `${p.connected.length} of ${number(p.clients)}` : number(p.clients));
  showClients(p);
  setText(byId("about"), `steadis ${status.version}, up ${wholeSpan(p.uptime_seconds)}, ${number(p.traffic.commands)} commands, ${bytes(p.traffic.bytes_in)} in and ${bytes(p.traffic.bytes_out)} out since the start.`);
}

function showFigures(figures) {
  const holder = byId("figures");
  if (holder.children.length !== figures.length) holder.replaceChildren(...figures.map(() => html("div", null, html("dt"), html("dd"), html("dd", { class: "note" }))));
  figures.forEach(([name, value, note, worry], i) => {
    const [dt, dd, small] = holder.children[i].children;
    setText(dt, name);
    setText(dd, worry ? `! ${value}` : value);
    setText(small, note);
    holder.children[i].className = worry ? "worry" : "";
  });
}

// draw draws the deployment if anything in it is different.
function draw(status) {
  const p = status.proxy;
  const text = JSON.stringify([narrow.matches, stateOf(status), p.master, p.clients, p.hold.waiting, p.upstream, p.replicas, Math.round(p.last_second.commands_per_second), p.epoch,
    status.sentinel.replicas, status.sentinel.sentinels.map((s) => [s.address, s.connected, s.subscribed, s.master, s.epoch, s.flags, s.error])]);
  if (text === drawn) return;
  drawn = text;
  byId("drawing").replaceChildren(drawDeployment(status, narrow.matches));
}

byId("charts").replaceChildren(...charts.map((c) => c.element));
byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").setAttribute("aria-pressed", String(paused));
  if (!paused) update();
});
document.addEventListener("visibilitychange", () => document.hidden || update());
onChoice(() => update(true));
narrow.addEventListener("change", () => latest && draw(latest));
update();
