// Charts of what was lately, at most the last 10 minutes. Each keeps its frame; the lines are drawn anew.
import { clock, html, setText, svg } from "./dom.js";
import { wordOf } from "./state.js";

const width = 560, height = 190, left = 58, right = 12, top = 14, bottom = 26;

// spans are how much time a chart may show, in minutes, with the distance of its labels.
const spans = [[2, 0.5], [5, 1], [10, 2]];

// spanFor is the shortest one that has all samples.
export const spanFor = (samples, now) => spans.find(([minutes]) => samples.length === 0 || now - samples[0].at <= minutes * 60_000) ?? spans.at(-1);

// niceTop is where an axis ends that has to show most.
function niceTop(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((m) => m * power).find((v) => v >= most * 1.02) ?? 10 * power;
}

// tick is a value on an axis: 1.0 ms is 1 ms there.
const tick = (text) => text.replace(/\.0+(?=\D)/, "");

export class Chart {
  // lines are {key, name}: a field of a sample, in units of format; log draws decades.
  constructor(id, title, lines, format, log) {
    Object.assign(this, { id, title, lines, format, log, samples: [], at: null });
    this.plot = svg("g");
    this.axis = svg("g", { class: "grid" });
    this.cursor = svg("path", { class: "cursor" });
    this.desc = svg("desc", { id: `${id}-desc` }, "No samples yet.");
    this.canvas = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img", "aria-labelledby": `${id}-title ${id}-desc` },
      svg("title", { id: `${id}-title` }, title), this.desc, this.axis, this.plot, this.cursor);
    this.reading = html("output", { class: "reading", id: `${id}-reading`, "aria-live": "off" });
    this.figure = html("div", { class: "frame", tabindex: 0, role: "group", "aria-label": `${title}: left and right arrow keys read values`, "data-chart": id }, this.canvas);
    this.element = html("figure", { class: "card" },
      html("figcaption", null, html("h3", null, title), html("p", { class: "legend" }, lines.map((l, i) => html("span", { class: `key line${i}` }, l.name)))),
      this.figure, this.reading);
    this.figure.addEventListener("pointermove", (e) => this.point(e));
    this.figure.addEventListener("pointerleave", () => this.read(null));
    this.figure.addEventListener("blur", () => this.read(null));
    this.figure.addEventListener("keydown", (e) => this.key(e));
  }

  x(at) { return left + ((at - this.from) / this.span) * (width - left - right); }

  y(value) {
    const room = height - top - bottom;
    if (!this.log) return height - bottom - Math.min(1, value / this.most) * room;
    const share = Math.log10(Math.max(value, this.least) / this.least) / Math.log10(this.most / this.least);
    return height - bottom - Math.min(1, share) * room;
  }

  scale() {
    const values = this.samples.flatMap((s) => this.lines.map((l) => s[l.key]));
    const most = Math.max(0, ...values);
    if (!this.log) {
      this.most = niceTop(most);
      return [0, this.most / 2, this.most];
    }
    const low = Math.min(...values.filter((v) => v > 0), 100);
    this.least = 10 ** Math.floor(Math.log10(Math.max(low, 10)));
    this.most = Math.max(this.least * 100, 10 ** Math.ceil(Math.log10(Math.max(most, 1) * 1.001)));
    const ticks = [];
    for (let v = this.least; v <= this.most * 1.01; v *= 10) ticks.push(v);
    return ticks;
  }

  draw(samples, now) {
    this.samples = samples;
    const [minutes, step] = spanFor(samples, now);
    this.span = minutes * 60_000;
    this.from = now - this.span;
    const ticks = this.scale();
    this.axis.replaceChildren(
      ...ticks.flatMap((v) => [svg("path", { d: `M${left} ${this.y(v)}H${width - right}` }), svg("text", { x: left - 8, y: this.y(v) + 4, "text-anchor": "end" }, tick(this.format(v)))]),
      ...Array.from({ length: Math.round(minutes / step) + 1 }, (_, i) => i * step).map((m) =>
        svg("text", { x: this.x(now - m * 60_000), y: height - 7, "text-anchor": m === 0 ? "end" : "middle" }, m === 0 ? "now" : m < 1 ? `−${m * 60} s` : `−${m} min`)));
    this.plot.replaceChildren(...this.phases(), ...this.lines.map((l, i) => svg("path", { class: `plot line${i}`, d: this.path(l.key) })));
    const last = samples.at(-1);
    setText(this.desc, last ? this.lines.map((l) => `${l.name} now ${this.format(last[l.key])}, at most ${this.format(Math.max(...samples.map((s) => s[l.key])))}`).join("; ") : "No samples yet.");
    this.read(this.at);
  }

  // path goes up and down with the samples and is broken where there are none: a process
  // that was stopped, or, on a logarithmic axis, a second without a value.
  path(key) {
    let d = "", before = null;
    for (const s of this.samples) {
      if (this.log && !s[key]) { before = null; continue; }
      const joined = before !== null && s.at - before < 3000;
      d += `${joined ? "L" : "M"}${this.x(s.at).toFixed(1)} ${this.y(s[key]).toFixed(1)}${joined ? "" : "h.1"}`;
      before = s.at;
    }
    return d;
  }

  // phases marks the seconds in which commands were not simply served.
  phases() {
    const marks = [];
    for (const s of this.samples) {
      if (s.phase === "serving") continue;
      const last = marks.at(-1);
      if (last && last.phase === s.phase && s.at - last.to < 2500) last.to = s.at;
      else marks.push({ phase: s.phase, from: s.at - 1000, to: s.at });
    }
    return marks.map((m) => svg("rect", { class: `phase ${m.phase}`, x: this.x(m.from), y: top, width: Math.max(2, this.x(m.to) - this.x(m.from)), height: height - top - bottom },
      svg("title", null, `${wordOf(m.phase)} until ${clock(m.to)}`)));
  }

  point(e) {
    const box = this.canvas.getBoundingClientRect();
    const at = this.from + (((e.clientX - box.left) / box.width) * width - left) / (width - left - right) * this.span;
    this.read(this.nearest(at)?.at ?? null);
  }

  nearest(at) { return this.samples.reduce((best, s) => (!best || Math.abs(s.at - at) < Math.abs(best.at - at) ? s : best), null); }

  key(e) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -30, PageDown: 30, Home: -Infinity, End: Infinity };
    if (!(e.key in steps) || this.samples.length === 0) return;
    e.preventDefault();
    const found = this.samples.findIndex((s) => s.at === this.at);
    const from = found < 0 ? this.samples.length - (steps[e.key] < 0 ? 0 : 1) : found;
    this.reading.setAttribute("aria-live", "polite");
    this.read(this.samples[Math.min(this.samples.length - 1, Math.max(0, from + steps[e.key]))].at);
  }

  // read shows the values of one second; null: those of the last one.
  read(at) {
    const chosen = at === null ? null : this.samples.find((s) => s.at === at);
    this.at = chosen ? at : null;
    if (!chosen) this.reading.setAttribute("aria-live", "off");
    const s = chosen ?? this.samples.at(-1);
    this.cursor.setAttribute("d", chosen ? `M${this.x(at)} ${top}V${height - bottom}` : "");
    setText(this.reading, s ? `${chosen ? clock(s.at) : "now"}: ${this.lines.map((l) => `${l.name} ${this.format(s[l.key])}`).join(", ")}${s.phase === "serving" ? "" : `, ${wordOf(s.phase).toLowerCase()}`}` : "");
  }
}
