package page

import (
	"testing"

	"github.com/chromedp/chromedp"

	"steadis/test/browser"
)

// accessFaults lists what a checker of accessibility would: names, roles, structure.
const accessFaults = `(() => {
  const faults = [], all = (s) => [...document.querySelectorAll(s)];
  const named = (e) => (e.getAttribute("aria-label") || (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("") || e.textContent).trim().length > 0;
  if (document.documentElement.lang !== "en") faults.push("no language");
  if (all("h1").length !== 1 || all("main").length !== 1) faults.push("not one h1 and one main");
  let level = 0;
  for (const h of all("h1, h2, h3, h4")) { const n = Number(h.tagName[1]); if (n > level + 1) faults.push("a heading skips a level: " + h.textContent); level = n; }
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((x) => x === id).length > 1) faults.push("two elements have the id " + id);
  for (const e of all("button, a[href], summary, [role=region], [role=group]")) if (!named(e)) faults.push("no name: " + e.outerHTML.slice(0, 80));
  for (const e of all("svg")) if (e.getAttribute("aria-hidden") !== "true" && (e.getAttribute("role") !== "img" || !named(e) || !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby")))) faults.push("an svg without role or name: " + e.outerHTML.slice(0, 80));
  for (const e of all("[aria-labelledby]")) for (const id of e.getAttribute("aria-labelledby").split(" ")) if (!document.getElementById(id)) faults.push("no element " + id);
  for (const e of all("table")) { if (!e.caption?.textContent) faults.push("a table without a caption: #" + e.id); for (const h of e.querySelectorAll("th")) if (!["col", "row"].includes(h.scope)) faults.push("a th without scope in #" + e.id); }
  for (const e of all("[tabindex]")) if (e.tabIndex > 0) faults.push("a positive tabindex");
  for (const e of all(".scroll")) if (e.tabIndex !== 0) faults.push("a scrolling part that the keyboard cannot scroll");
  const live = document.getElementById("announce"); if (live.getAttribute("aria-live") !== "polite" || live.getAttribute("role") !== "status") faults.push("changes of state are not announced");
  for (const e of all("#sentinels td.good, #sentinels td.bad, #nodes td.good, #nodes td.bad")) if (!/^[✓✕] \S/.test(e.textContent)) faults.push("colour alone: " + e.textContent);
  for (const e of all(".box.bad, .box.warn, .box.good")) if (!e.querySelector(".mark")?.textContent) faults.push("colour alone in the drawing: " + e.textContent);
  for (const e of all("button, summary, footer a")) { const b = e.getBoundingClientRect(); if (b.height > 0 && b.height < 20) faults.push("too small to hit: " + e.textContent); }
  return faults;
})()`

func (s *stage) checkAccessibility(t *testing.T) {
	for _, fault := range browser.Run(t, s.ctx, chromedp.Evaluate[[]string](accessFaults)) {
		t.Error(fault)
	}
}

// lowContrast lists texts whose contrast to what is behind them is below what WCAG 2.1 AA
// asks for: 4.5, or 3 for large ones. Text in a drawing stands on its box or on the card.
const lowContrast = `(() => {
  const rgb = (c) => (c.match(/[\d.]+/g) ?? []).map(Number);
  const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const solid = (c) => { const v = rgb(c); return c !== "transparent" && c !== "none" && v.length >= 3 && (v[3] ?? 1) > 0.5 ? v.slice(0, 3) : null; };
  const behind = (e) => {
    const own = e instanceof SVGElement ? e.closest(".box, .label")?.querySelector("rect") : null;
    if (own) return solid(getComputedStyle(own).fill);
    for (let n = e; n; n = n.parentElement) { const c = solid(getComputedStyle(n).backgroundColor); if (c) return c; }
    return [255, 255, 255];
  };
  const low = new Map();
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || e.closest("script, noscript, title, desc, .hidden, .skip")) continue;
    const c = getComputedStyle(e), b = e.getBoundingClientRect();
    if (b.width === 0 || c.visibility === "hidden") continue;
    const ink = solid(e instanceof SVGElement ? c.fill : c.color), size = parseFloat(c.fontSize), paper = behind(e);
    if (!ink || !paper) { low.set("no colour: " + e.outerHTML.slice(0, 60), 0); continue; }
    const need = size >= 24 || (size >= 18.66 && Number(c.fontWeight) >= 700) ? 3 : 4.5, got = ratio(ink, paper);
    if (got < need) low.set(e.tagName + "." + (e.getAttribute("class") ?? "") + " " + c.color + " on " + paper, got);
  }
  return [...low].map(([what, got]) => got.toFixed(2) + " " + what);
})()`

func (s *stage) checkContrast(t *testing.T, name string) {
	t.Helper()
	for _, fault := range browser.Run(t, s.ctx, chromedp.Evaluate[[]string](lowContrast)) {
		t.Errorf("%s: contrast %s", name, fault)
	}
}
