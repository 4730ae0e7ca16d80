// Making and changing elements. Texts always become text nodes, so nothing that comes
// from outside can become markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((c) => c !== undefined && c !== null && c !== false).map((c) => (c instanceof Node ? c : String(c))));
  return element;
}

export const html = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// setText changes an element only if it says something else: a screen reader is not to be
// told the same again, nor is a selection to be lost.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const number = (n) => whole.format(n ?? 0);
export const plural = (n, word) => `${number(n)} ${word}${n === 1 ? "" : "s"}`;

export function bytes(n) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

// micros writes a latency given in microseconds.
export function micros(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${us < 1e4 ? (us / 1e3).toFixed(1) : Math.round(us / 1e3)} ms`;
  return `${(us / 1e6).toFixed(us < 1e7 ? 2 : 1)} s`;
}

// span writes a time that has passed, given in seconds.
export function span(s) {
  if (s < 0.9995) return `${Math.max(0, Math.round(s * 1000))} ms`;
  if (s < 10) return `${s.toFixed(2)} s`;
  if (s < 60) return `${s.toFixed(1)} s`;
  return wholeSpan(s);
}

// wholeSpan is span for what need not be exact.
export function wholeSpan(s) {
  s = Math.max(0, Math.floor(s));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

const two = (n) => String(n).padStart(2, "0");
export function clock(time, exact) {
  const t = new Date(time);
  const text = `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
  return exact ? `${text}.${String(t.getMilliseconds()).padStart(3, "0")}` : text;
}
export function day(time) {
  const t = new Date(time);
  return `${t.getFullYear()}-${two(t.getMonth() + 1)}-${two(t.getDate())}`;
}

// isTime says whether the server gave a time: Go's zero time is the year 1.
export const isTime = (time) => Boolean(time) && !String(time).startsWith("0001-");

// shorten keeps a text's beginning and end.
export function shorten(text, most) {
  const letters = [...(text ?? "")];
  if (letters.length <= most) return letters.join("");
  const head = Math.ceil((most - 1) / 2);
  return letters.slice(0, head).join("") + "…" + letters.slice(letters.length - (most - 1 - head)).join("");
}
