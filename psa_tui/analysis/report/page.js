"use strict";
(() => {
  document.documentElement.classList.add("scripted");

  const keyOf = (cell) => (cell.dataset.n === undefined ? cell.textContent : Number(cell.dataset.n));
  const compare = (a, b) => {
    if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b);
    return typeof a === "number" ? -1 : 1;
  };
  for (const table of document.querySelectorAll("table")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...body.rows].map((row) => [keyOf(row.cells[column]), row]);
        const known = rows.filter(([key]) => key !== "\u2013");
        const unknown = rows.filter(([key]) => key === "\u2013");
        known.sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
        body.append(...[...known, ...unknown].map(([, row]) => row));
      });
    });
  }

  const source = document.getElementById("chart-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const names = Object.keys(data.shapes);
  const chosen = document.getElementById("chart-shape");
  const plot = document.getElementById("chart-plot");
  const values = document.getElementById("chart-values");
  const width = 720, height = 340, left = 46, right = 12, top = 10, bottom = 48;
  const element = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const ink = (mode) => (mode.name === "none" ? "var(--ink)" : mode.colour);
  const step = (span) => {
    const rough = span / 5, power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  };
  let at = data.loops.length - 1;
  let draw = null;

  const show = () => {
    const cells = data.shapes[chosen.value];
    const modes = data.modes.filter((mode) => cells[mode.name]);
    const all = modes.flatMap((mode) => cells[mode.name].values.filter((value) => value !== null));
    let low = Math.min(...all, data.majority ?? Infinity) / 100, high = Math.max(...all) / 100;
    const margin = Math.max(0.05 * (high - low), 0.05);
    [low, high] = [low - margin, high + margin];
    const first = data.loops[0], last = Math.max(data.loops[data.loops.length - 1], first + 1);
    const x = (loop) => left + ((loop - first) / (last - first)) * (width - left - right);
    const y = (accuracy) => top + ((high - accuracy) / (high - low)) * (height - top - bottom);
    const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img",
      "aria-label": `LKG accuracy of ${chosen.value} over the meta-loops; the arrow keys read the values.` });
    const grid = step(high - low);
    for (let value = Math.ceil(low / grid) * grid; value <= high; value += grid) {
      svg.append(element("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), stroke: "var(--rule)" }));
      svg.append(element("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, String(+value.toFixed(2))));
    }
    const apart = Math.max(1, step(last - first));
    for (let loop = Math.ceil(first / apart) * apart; loop <= last; loop += apart)
      svg.append(element("text", { x: x(loop), y: height - bottom + 20, "text-anchor": "middle" }, String(loop)));
    svg.append(element("text", { x: width - right, y: height - 6, "text-anchor": "end" }, "meta-loop; accuracy in percent"));
    if (data.majority !== null)
      svg.append(element("line", { x1: left, x2: width - right, y1: y(data.majority / 100), y2: y(data.majority / 100),
        stroke: "var(--muted)", "stroke-dasharray": "1 3" }));
    for (const mode of modes) {
      const points = cells[mode.name].values
        .map((value, index) => (value === null ? "" : `${x(data.loops[index]).toFixed(1)},${y(value / 100).toFixed(1)}`))
        .filter(Boolean).join(" ");
      svg.append(element("polyline", { points, fill: "none", stroke: ink(mode), "stroke-width": 2,
        "stroke-dasharray": mode.dash, "data-mode": mode.name }));
    }
    const line = element("line", { y1: top, y2: height - bottom, stroke: "var(--muted)" });
    svg.append(line);
    draw = () => {
      const place = x(data.loops[at]);
      line.setAttribute("x1", place);
      line.setAttribute("x2", place);
      const heading = document.createElement("span");
      heading.className = "at";
      heading.textContent = `${chosen.value}, meta-loop ${data.loops[at]}`;
      values.replaceChildren(heading, ...modes.map((mode) => {
        const entry = document.createElement("span");
        const key = element("svg", { viewBox: "0 0 28 10", "aria-hidden": "true" });
        key.append(element("line", { x1: 0, x2: 28, y1: 5, y2: 5, stroke: ink(mode), "stroke-width": 2,
          "stroke-dasharray": mode.dash }));
        const value = cells[mode.name].values[at];
        entry.append(key, `${mode.name} ${value === null ? "\u2013" : `${(value / 100).toFixed(2)} %`}`);
        entry.title = cells[mode.name].of;
        return entry;
      }));
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const loop = first + (((event.clientX - box.left) / box.width) * width - left) / (width - left - right) * (last - first);
      at = data.loops.reduce((best, one, index) =>
        (Math.abs(one - loop) < Math.abs(data.loops[best] - loop) ? index : best), 0);
      draw();
    });
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      at = Math.min(data.loops.length - 1, Math.max(0, at + move));
      draw();
    });
    plot.replaceChildren(svg);
    draw();
  };

  chosen.append(...names.map((name) => new Option(name, name)));
  const spread = (name) => {
    const finals = Object.values(data.shapes[name]).map((curve) => curve.values[curve.values.length - 1] ?? 0);
    return Math.max(...finals) - Math.min(...finals);
  };
  chosen.value = names.reduce((best, name) => (spread(name) > spread(best) ? name : best), names[0]);
  chosen.addEventListener("change", show);
  document.getElementById("chart").hidden = false;
  show();
})();
