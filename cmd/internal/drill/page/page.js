"use strict";
// A line across the charts of a round, and the figures below it, follow the pointer or
// the arrow keys. Without this script the page lacks nothing but that.
for (const figure of document.querySelectorAll("[data-chart]")) {
  const values = figure.dataset.values.match(/\[[^[\]]+\]/g).map((row) => row.slice(1, -1).split(" ").map(Number));
  const [from, to, left, right, width] = figure.dataset.axis.slice(1, -1).split(" ").map(Number);
  const reading = figure.querySelector(".reading");
  const wait = (ms) => (ms >= 1000 ? (ms / 1000).toFixed(2) + " s" : ms.toFixed(ms < 10 ? 2 : 0) + " ms");
  let place = -1;
  const show = (index) => {
    place = Math.min(Math.max(index, 0), values.length - 1);
    const [at, writes, reads, p50, p99, longest] = values[place];
    const x = left + ((right - left) * (Math.min(at + 50, to) - from)) / (to - from);
    for (const cross of figure.querySelectorAll(".cross")) {
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
      cross.setAttribute("visibility", "visible");
    }
    const waits = longest > 0 ? `of those sent then: median ${wait(p50)}, p99 ${wait(p99)}, longest ${wait(longest)}` : "no write sent then was answered";
    reading.textContent = `${at < 0 ? "" : "+"}${(at / 1000).toFixed(2)} s: ${Math.round(writes)} writes/s, ${Math.round(reads)} reads/s; ${waits}`;
  };
  figure.addEventListener("pointermove", (event) => {
    const chart = figure.querySelector(".chart").getBoundingClientRect();
    const x = ((event.clientX - chart.left) / chart.width) * width;
    const ms = from + ((x - left) / (right - left)) * (to - from);
    if (values.length > 0 && ms >= from && ms <= to) {
      show(Math.floor((ms - from) / 100));
    }
  });
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step !== undefined && values.length > 0) {
      event.preventDefault();
      show(place < 0 ? 0 : place + step);
    }
  });
}
