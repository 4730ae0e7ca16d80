// The tables: Sentinels, Redis nodes, clients.
import { byId, html, number, wholeSpan } from "./dom.js";

// rows replaces a table's head and body. A row is a list of cells; a cell is a text or
// {text, tone, wide}. The first cell is the row's header.
function rows(table, heads, list, empty) {
  const body = list.map((cells) =>
    html("tr", null, cells.map((cell, i) => {
      const { text, tone, wide, title } = typeof cell === "object" && cell !== null ? cell : { text: cell };
      return html(i === 0 ? "th" : "td", { scope: i === 0 ? "row" : undefined, class: [tone, wide && "wide"].filter(Boolean).join(" ") || undefined, title }, text ?? "");
    })));
  if (list.length === 0) body.push(html("tr", null, html("td", { colspan: heads.length, class: "none" }, empty)));
  table.replaceChildren(table.caption,
    html("thead", null, html("tr", null, heads.map((h) => html("th", { scope: "col", class: h.startsWith("#") ? "num" : undefined }, h.replace("#", ""))))),
    html("tbody", null, body));
}

const flagText = (flags) => (flags || "–").replaceAll(",", ", ");

export function showSentinels(sentinel) {
  rows(byId("sentinels"), ["Sentinel", "Reachable", "Events", "Names", "Epoch", "Flags"], sentinel.sentinels.map((s) => [
    s.address,
    s.connected ? { text: "✓ answers", tone: "good" } : { text: `✕ ${s.error || "no answer"}`, tone: "bad", wide: true },
    s.subscribed ? { text: "✓ subscribed", tone: "good" } : { text: "! polled only", tone: "warn" },
    { text: s.master || "–", tone: s.master && s.master !== sentinel.view.master ? "warn" : undefined },
    number(s.epoch),
    { text: flagText(s.flags) + (s.claim ? `, says ${s.claim}` : "") + (s.learned ? " (learned)" : ""), tone: /down|failover/.test(s.flags ?? "") ? "warn" : undefined, wide: true },
  ]), "No Sentinel is configured.");
}

// nodesOf joins what the Sentinels list with what the master tells.
export function nodesOf(status) {
  const told = new Map(status.proxy.replicas.map((r) => [r.address, r]));
  const listed = status.sentinel.replicas.map((r) => {
    const more = told.get(r.announced) ?? told.get(r.address);
    told.delete(r.announced);
    told.delete(r.address);
    return { address: r.address, flags: r.flags, link: r.link, online: more?.state === "online", state: more?.state, lag: more?.lag_bytes, seconds: more?.lag_seconds };
  });
  const others = [...told.values()].filter((r) => r.address !== status.proxy.master)
    .map((r) => ({ address: r.address, flags: "", link: "", online: r.state === "online", state: r.state, lag: r.lag_bytes, seconds: r.lag_seconds }));
  return [...listed, ...others].sort((a, b) => a.address.localeCompare(b.address)).map((r) => ({ ...r, down: /s_down|o_down|disconnected/.test(r.flags) }));
}

export const lagText = (r) => (r.online ? `${number(r.lag)} B behind` : r.down ? "down" : r.state ? r.state : "not connected");

export function showNodes(status) {
  const p = status.proxy;
  const list = nodesOf(status).map((r) => [
    r.address, "replica",
    r.online ? { text: "✓ online", tone: "good" } : { text: `✕ ${r.state || "not connected"}`, tone: "bad" },
    r.online ? `${number(r.lag)} B` : "–",
    r.online ? `${number(r.seconds)} s ago` : "–",
    { text: flagText(r.flags), tone: r.down ? "warn" : undefined, wide: true },
  ]);
  const told = status.sentinel.sentinels.find((s) => s.master === p.master)?.flags;
  if (p.master) list.unshift([p.master, "master", p.phase === "serving" || p.phase === "draining" ? { text: "✓ verified", tone: "good" } : { text: "! not served", tone: "warn" }, "–", "–", flagText(told)]);
  rows(byId("nodes"), ["Node", "Role", "Link", "Behind", "Heard", "Flags"], list, "No master is known yet.");
}

const stateMarks = { held: "‖ held", busy: "▸ busy", blocked: "… blocked" };

export function showClients(proxy) {
  rows(byId("clients"), ["Address", "Name", "User", "#Database", "State", "#Queued", "Last command", "#Connected", "#Idle", "Library"], proxy.connected.map((c) => [
    c.addr, { text: c.name || "–", wide: true }, c.user, { text: c.db, tone: "num" },
    { text: stateMarks[c.state] ?? c.state, tone: c.state === "held" ? "warn" : undefined },
    { text: number(c.queued), tone: "num" }, c.command || "–", { text: wholeSpan(c.age_seconds), tone: "num" }, { text: wholeSpan(c.idle_seconds), tone: "num" }, c.library || "–",
  ]), "No client is connected.");
}
