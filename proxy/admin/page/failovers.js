// The list of failovers and holds, each with its timeline. A row is made anew only when
// something in it has changed, so that what is open stays open.
import { byId, bytes, clock, day, html, isTime, number, plural, setText, span, svg } from "./dom.js";

const outcomes = { switched: ["⇄", "Switched"], same_master: ["↺", "Held, same master"], under_way: ["‖", "Under way"] };
const kinds = { planned: "planned", unplanned: "master was down", announced: "seen when it was over" };

const shown = new Map(); // began -> {text, element}

const since = (from, to) => (new Date(to) - new Date(from)) / 1000;

export function showFailovers(list, now) {
  const holder = byId("failovers");
  setText(byId("n-failovers"), list.length ? `${list.length}${list.length === 50 ? " (the last 50 are kept)" : ""}` : "");
  if (list.length === 0) {
    shown.clear();
    if (!holder.querySelector(".none")) holder.replaceChildren(html("p", { class: "card none" }, "No failover and no hold since this process started."));
    return;
  }
  holder.querySelector(".none")?.remove();
  const known = new Set(list.map((f) => f.began));
  for (const [began, row] of shown) if (!known.has(began)) { row.element.remove(); shown.delete(began); }
  list.forEach((f, i) => {
    const text = JSON.stringify(f);
    let row = shown.get(f.began);
    if (!row || row.text !== text || f.outcome === "under_way") {
      const fresh = row ?? { element: html("details", { class: "card failover" }, html("summary"), html("div", { class: "story" })) };
      fillRow(fresh.element, f, now);
      row = { text, element: fresh.element };
      shown.set(f.began, row);
    }
    if (holder.children[i] !== row.element) holder.insertBefore(row.element, holder.children[i] ?? null);
  });
}

function fillRow(element, f, now) {
  const [mark, word] = outcomes[f.outcome] ?? ["?", f.outcome];
  const c = f.commands, took = isTime(f.resumed) ? since(f.began, f.resumed) : (now - new Date(f.began)) / 1000;
  const bad = c.in_doubt > 0 || c.refused > 0;
  element.querySelector("summary").replaceChildren(
    html("span", { class: `what ${f.outcome}` }, html("span", { "aria-hidden": "true" }, mark), ` ${word}${f.kind ? `, ${kinds[f.kind] ?? f.kind}` : ""}`),
    html("span", { class: "when" }, html("time", { datetime: f.began, title: `${day(f.began)} ${clock(f.began, true)}` }, `${day(f.began)} ${clock(f.began)}`)),
    html("span", { class: "who" }, f.outcome === "switched" ? `${f.from} → ${f.to}` : f.from),
    html("span", { class: "took" }, `${span(took)} ${f.outcome === "under_way" ? "so far" : "held"}`),
    html("span", { class: bad ? "sum bad" : "sum" }, `${plural(c.held, "command")}, longest wait ${span(c.longest_wait_ms / 1000)}, ${number(c.in_doubt)} in doubt${c.refused ? `, ${number(c.refused)} refused` : ""}`));
  const story = element.querySelector(".story");
  story.replaceChildren(html("p", { class: "reason" }, `Why: ${f.reason}`), facts(f), drawTimeline(f), timelineTable(f));
}

function facts(f) {
  const c = f.commands, waiting = c.held - c.released - c.refused - c.dropped;
  const list = [
    ["Held", number(c.held)], ["Sent afterwards", number(c.released)], ["Refused", number(c.refused)], ["Client had gone", number(c.dropped)], ["Still waiting", number(Math.max(0, waiting))],
    ["Most at one time", `${number(c.most)} (${bytes(c.most_bytes)})`], ["Longest wait", span(c.longest_wait_ms / 1000)], ["Writes in doubt", number(c.in_doubt)],
    ["Drained", isTime(f.drained) && isTime(f.resumed) ? `${span(Math.max(0, since(f.resumed, f.drained)))} after it resumed` : "not yet"], ["Epoch", number(f.epoch)],
  ];
  return html("dl", { class: "facts" }, list.map(([name, value]) => html("div", null, html("dt", null, name), html("dd", null, value))));
}

// drawTimeline draws the hold as a bar and each step as a dot above it.
function drawTimeline(f) {
  const steps = f.timeline, width = 1000;
  const end = [f.drained, f.resumed, steps.at(-1)?.at].filter(isTime).map((t) => new Date(t).getTime());
  const from = Math.min(new Date(f.began).getTime(), ...steps.map((s) => new Date(s.at).getTime())), to = Math.max(from + 1, ...end);
  const x = (t) => 10 + ((new Date(t).getTime() - from) / (to - from)) * (width - 20);
  const held = isTime(f.resumed) ? x(f.resumed) : width - 10;
  return svg("svg", { viewBox: `0 0 ${width} 64`, class: "timeline", role: "img", "aria-label": `${steps.length} steps in ${span((to - from) / 1000)}; the table below has them` },
    svg("rect", { class: "bed", x: 10, y: 30, width: width - 20, height: 12, rx: 6 }),
    svg("rect", { class: "held", x: x(f.began), y: 30, width: Math.max(3, held - x(f.began)), height: 12, rx: 6 }),
    steps.map((s) => svg("g", { class: dotKind(s.name) }, svg("title", null, `${span((new Date(s.at) - from) / 1000)}: ${s.name}`), svg("path", { d: `M${x(s.at)} 16V36` }), svg("circle", { cx: x(s.at), cy: 14, r: 5 }))),
    svg("text", { x: 10, y: 60 }, "0"), svg("text", { x: width - 10, y: 60, "text-anchor": "end" }, span((to - from) / 1000)));
}

const dotKind = (name) => (name.startsWith("+") || name.startsWith("announces") ? "dot sentinel" : "dot own");

function timelineTable(f) {
  const first = f.timeline[0]?.at ?? f.began;
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Timeline" }, html("table", { class: "steps" },
    html("caption", null, `Timeline, from ${day(first)} ${clock(first, true)} on`),
    html("thead", null, html("tr", null, ["After", "What", "Who says so, or why"].map((h) => html("th", { scope: "col" }, h)))),
    html("tbody", null, f.timeline.map((s) => html("tr", null, html("th", { scope: "row" }, `+${span(since(first, s.at))}`), html("td", null, s.name), html("td", { class: "wide" }, s.by || "steadis"))))));
}
