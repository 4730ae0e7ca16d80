// The deployment, drawn: clients, this proxy, the master, its replicas, and above them the
// Sentinels with what each says. The tables below the drawing have the same in words.
import { number, plural, shorten, svg } from "./dom.js";
import { stateOf, wordOf } from "./state.js";
import { lagText, nodesOf } from "./tables.js";

const boxHeight = 70;

// box draws one party: a headline and two lines, with a mark that does not need colour.
function box(at, headline, lines, tone, mark, full) {
  const most = Math.floor((at.w - 26) / 7.1);
  return svg("g", { class: `box ${tone}` },
    svg("title", null, [full ?? headline, ...lines].join(", ")),
    svg("rect", { x: at.x, y: at.y, width: at.w, height: boxHeight, rx: 9 }),
    svg("text", { x: at.x + 13, y: at.y + 24, class: "headline" }, shorten(headline, most - (mark ? 3 : 0))),
    mark && svg("text", { x: at.x + at.w - 13, y: at.y + 24, class: "mark", "text-anchor": "end" }, mark),
    lines.map((line, i) => svg("text", { x: at.x + 13, y: at.y + 43 + 16 * i, class: "line" }, shorten(line, most + 4))));
}

const line = (from, to, kind) => svg("path", { class: `edge ${kind}`, d: `M${from.x} ${from.y}L${to.x} ${to.y}` });

// label is a text on an edge, on a piece of background.
function label(x, y, text, kind) {
  const w = text.length * 6.3 + 12;
  return svg("g", { class: `label ${kind ?? ""}` }, svg("rect", { x: x - w / 2, y: y - 11, width: w, height: 18, rx: 5 }), svg("text", { x, y: y + 2.5, "text-anchor": "middle" }, text));
}

// gate draws two bars across a horizontal or vertical edge: nothing passes.
const gate = (x, y, upright) => svg("path", { class: "gate", d: upright ? `M${x - 12} ${y - 4}h24M${x - 12} ${y + 4}h24` : `M${x - 4} ${y - 12}v24M${x + 4} ${y - 12}v24` });

function sentinelBox(at, s, master) {
  const trouble = !s.connected ? "bad" : /down|failover/.test(s.flags) || (s.master && s.master !== master) || !s.subscribed ? "warn" : "good";
  const says = s.master ? `Sentinel, names ${s.master}` : "Sentinel, names nobody";
  const second = s.connected ? `epoch ${s.epoch}, ${s.flags || "no flags"}` : s.error || "no answer";
  return box(at, s.address, [s.connected ? says : "Sentinel, does not answer", second], trouble, { good: "✓", warn: "!", bad: "✕" }[trouble]);
}

const middle = (b) => ({ x: b.x + b.w / 2, y: b.y + boxHeight / 2 });

// places says where everything stands, for a wide or a narrow drawing.
function places(narrow, sentinels, replicas) {
  const p = { sentinels: [], replicas: [] };
  if (narrow) {
    const x = 8, w = 344;
    let y = 8;
    const next = (gap) => ({ x, y: (y += gap) - gap, w });
    const take = (gap) => next(boxHeight + gap);
    for (let i = 0; i < sentinels; i++) p.sentinels.push(take(i === sentinels - 1 ? 46 : 8));
    p.proxy = take(46);
    p.master = take(replicas ? 46 : 8);
    for (let i = 0; i < replicas; i++) p.replicas.push(take(8));
    y += 38;
    p.clients = take(8);
    return { ...p, width: 360, height: y };
  }
  const perRow = Math.min(Math.max(sentinels, 1), 4), gap = 16, width = 1120;
  const w = Math.min(300, (width - 16 - gap * (perRow - 1)) / perRow), left = (width - perRow * w - (perRow - 1) * gap) / 2;
  const sentinelRows = Math.ceil(sentinels / perRow);
  for (let i = 0; i < sentinels; i++) p.sentinels.push({ x: left + (i % perRow) * (w + gap), y: 8 + Math.floor(i / perRow) * (boxHeight + 12), w });
  const top = 8 + sentinelRows * (boxHeight + 12) + 60, tall = Math.max(1, replicas) * (boxHeight + 14) - 14, y = top + (tall - boxHeight) / 2;
  p.clients = { x: 8, y, w: 170 };
  p.proxy = { x: 308, y, w: 190 };
  p.master = { x: 644, y, w: 190 };
  for (let i = 0; i < replicas; i++) p.replicas.push({ x: 922, y: top + i * (boxHeight + 14), w: 190 });
  return { ...p, width, height: top + tall + 12 };
}

// between gives the points where an edge leaves one box and meets another.
function between(a, b, narrow) {
  if (narrow) return a.y < b.y ? [{ x: a.x + a.w / 2, y: a.y + boxHeight }, { x: b.x + b.w / 2, y: b.y }] : [{ x: a.x + a.w / 2, y: a.y }, { x: b.x + b.w / 2, y: b.y + boxHeight }];
  return [{ x: a.x + a.w, y: middle(a).y }, { x: b.x, y: middle(b).y }];
}

export function drawDeployment(status, narrow) {
  const p = status.proxy, s = status.sentinel, nodes = nodesOf(status), state = stateOf(status);
  const flows = state === "serving" || state === "draining";
  const at = places(narrow, s.sentinels.length, nodes.length);
  const edges = [], boxes = [], labels = [];

  s.sentinels.forEach((x, i) => {
    const b = at.sentinels[i];
    boxes.push(sentinelBox(b, x, s.view.master));
    if (narrow && i < s.sentinels.length - 1) return;
    const from = { x: b.x + b.w / 2, y: b.y + boxHeight }, to = { x: middle(at.proxy).x + (narrow ? 0 : (i - (s.sentinels.length - 1) / 2) * 26), y: at.proxy.y };
    edges.push(line(from, to, !x.connected ? "cut" : x.subscribed ? "events" : "polls"));
  });
  const heard = s.sentinels.filter((x) => x.subscribed).length;
  const ear = narrow ? { x: 180, y: at.proxy.y - 24 } : { x: middle(at.proxy).x, y: at.proxy.y - 26 };
  if (s.sentinels.length) labels.push(label(ear.x, ear.y, `${heard} of ${s.sentinels.length} subscribed`));

  const held = p.hold.waiting;
  boxes.push(box(at.clients, plural(p.clients, "client"), [`${number(p.last_second.commands_per_second)} commands/s`, held ? `${plural(held, "command")} held` : "nothing held"], held ? "warn" : "plain", held ? "‖" : ""));
  const tone = { serving: "good", draining: "warn", holding: "warn", out: "bad" }[state] ?? "bad";
  boxes.push(box(at.proxy, "this proxy", [wordOf(state).toLowerCase(), `generation ${p.generation}, epoch ${p.epoch}`], `${tone} self`, { good: "✓", warn: "‖", bad: "✕" }[tone]));
  boxes.push(box(at.master, p.master || "no master yet", ["master", `${number(p.upstream.in_flight)} in flight`], flows ? "good" : tone, flows ? "✓" : tone === "bad" ? "✕" : "!", p.master));

  // In the narrow drawing the clients stand below everything else.
  const [c1, c2] = narrow ? [{ x: 4, y: middle(at.clients).y }, { x: 4, y: middle(at.proxy).y }] : between(at.clients, at.proxy, narrow);
  edges.push(narrow ? svg("path", { class: "edge flow", d: `M8 ${c1.y}H4V${c2.y}H8` }) : line(c1, c2, "flow"));
  if (!narrow) labels.push(label((c1.x + c2.x) / 2, c1.y - 16, "always connected"));

  const [m1, m2] = between(at.proxy, at.master, narrow);
  edges.push(line(m1, m2, flows ? "flow" : "cut"));
  const mid = { x: (m1.x + m2.x) / 2, y: (m1.y + m2.y) / 2 };
  if (!flows) labels.push(gate(mid.x, mid.y, narrow));
  labels.push(label(mid.x + (narrow ? 90 : 0), mid.y - (narrow ? 0 : 24), flows ? `${p.upstream.shared} shared, ${p.upstream.private} private` : "nothing is sent", flows ? "" : "warn"));

  nodes.forEach((r, i) => {
    const b = at.replicas[i];
    boxes.push(box(b, r.address, ["replica", lagText(r)], r.online && !r.down ? "good" : "bad", r.online && !r.down ? "✓" : "✕"));
    if (narrow && i > 0) return;
    const [r1, r2] = between(at.master, b, narrow);
    edges.push(line(r1, r2, r.online ? "copies" : "cut"));
  });

  const words = `${plural(s.sentinels.length, "Sentinel")}, ${heard} subscribed. ${plural(p.clients, "client")} at this proxy, which is ${wordOf(state).toLowerCase()}. Master ${p.master || "unknown"} with ${plural(nodes.length, "replica")}, ${nodes.filter((r) => r.online).length} online.`;
  return svg("svg", { viewBox: `0 0 ${at.width} ${at.height}`, role: "img", class: `drawing ${narrow ? "narrow" : "wide"}`, "aria-labelledby": "draw-title draw-desc" },
    svg("title", { id: "draw-title" }, "The deployment as this proxy sees it"), svg("desc", { id: "draw-desc" }, words), edges, boxes, labels);
}
