// What steadis is doing, in one word, one sentence and a few figures.
import { bytes, isTime, micros, number, plural, span, wholeSpan } from "./dom.js";

const marks = {
  serving: "M14 25l7 7 13-15",
  holding: "M19 15v18M29 15v18",
  draining: "M14 17l8 7-8 7M25 17l8 7-8 7",
  out: "M16 16l16 16M32 16l-16 16",
  stopping: "M16 16h16v16h-16z",
  lost: "M24 13v14M24 34v.5",
};

const words = { serving: "Serving", holding: "Holding", draining: "Draining", out: "Out", stopping: "Shutting down", lost: "No contact" };

// stateOf names the state: proxy.phase, but for a process that goes away.
export const stateOf = (status) => (status.proxy.stopping ? "stopping" : status.proxy.phase);
export const wordOf = (state) => words[state] ?? state;
export const markOf = (state) => marks[state] ?? marks.lost;

// secondsSince counts from a time of the server's, by the server's clock.
const secondsSince = (time, now) => Math.max(0, (now - new Date(time).getTime()) / 1000);

// sentenceOf says what it means for clients.
export function sentenceOf(status, now) {
  const p = status.proxy, waiting = plural(p.hold.waiting, "command");
  const since = isTime(p.since) ? secondsSince(p.since, now) : 0;
  switch (stateOf(status)) {
    case "serving":
      return `Commands go to ${p.master}${isTime(status.sentinel.view.since) ? `, the master since ${wholeSpan(secondsSince(status.sentinel.view.since, now))} as this proxy sees it` : ""}.`;
    case "holding":
      if (!p.generation) return `No master has been verified yet; commands wait. ${status.sentinel.view.reason}`;
      return `${waiting} ${p.hold.waiting === 1 ? "waits" : "wait"} for a master, since ${span(since)} and for at most ${span(p.hold_limits.seconds)}. ${p.reason ?? ""}`;
    case "draining":
      return `There is a master, ${p.master}, and what has waited is being sent to it: ${waiting} left.`;
    case "out":
      return `There has been no master for ${wholeSpan(since)}. Commands are answered with LOADING until there is one. ${p.reason ?? ""}`;
    case "stopping":
      return `This process is shutting down; ${plural(p.clients, "client")} left.`;
  }
  return "";
}

// worryFor is how long writes in doubt are marked, in seconds: they stay counted.
const worryFor = 900;

// figuresOf are the figures below the state: name, value, note, and whether to worry.
export function figuresOf(status, now) {
  const p = status.proxy, s = p.last_second, limits = p.hold_limits;
  const share = Math.max(p.hold.waiting / limits.commands, p.hold.waiting_bytes / limits.bytes);
  const up = status.sentinel.sentinels.filter((x) => x.connected && !x.learned).length;
  const last = status.failovers.find((f) => f.outcome === "switched");
  const fresh = status.failovers.some((f) => f.commands.in_doubt > 0 && secondsSince(f.began, now) < worryFor);
  return [
    ["Commands", `${number(s.commands_per_second)}/s`, `in ${bytes(s.bytes_in_per_second)}/s, out ${bytes(s.bytes_out_per_second)}/s`],
    ["Latency, median", s.p50_us ? micros(s.p50_us) : "–", s.p50_us ? `99 %: ${micros(s.p99_us)}, longest ${micros(s.max_us)}` : "nothing answered in the last second"],
    ["Held now", number(p.hold.waiting), `${bytes(p.hold.waiting_bytes)}; ${(100 * share).toFixed(share < 0.1 ? 1 : 0)} % of what may wait`, share > 0.8],
    ["Clients", number(p.clients), `${plural(p.upstream.in_flight, "command")} in flight over ${plural(p.upstream.shared + p.upstream.private, "connection")}`],
    status.sentinel.configured
      ? ["Sentinels", `${up} of ${status.sentinel.configured}`, `${status.sentinel.majority} must agree`, up < status.sentinel.majority]
      : ["Sentinels", "none", "the master is found by its address"],
    ["Last switch", last ? `${wholeSpan(secondsSince(last.began, now))} ago` : "none", last ? `${last.kind || "switched"}, ${plural(last.commands.held, "command")} held` : `since the start, ${wholeSpan(p.uptime_seconds)} ago`],
    ["In doubt", number(p.traffic.in_doubt), "writes that lost their reply, since the start", fresh],
  ];
}
