// The dashboard's plots, drawn by uPlot (a global, from its own file) where that is there; their tables, always.

const LOOKS = {
  answered: { bars: true },
  lapsed: { dash: [7, 4], hollow: true },
  skipped: { dash: [2, 3], hollow: false },
  created: { bars: true },
  closed: {},
  open: { area: true },
  waiting: { area: true },
  active: {},
};
const SVG = "http://www.w3.org/2000/svg";

function colourOf(name) {
  const sample = document.querySelector(`.crowd-line-${name}`);
  return getComputedStyle(sample).color;
}

function quiet(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function faint(colour, share) {
  return colour.replace("rgb(", "rgba(").replace(")", `, ${share})`);
}

function shape(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function sample(look) {
  const svg = shape("svg", { viewBox: "0 0 22 10", fill: "none", stroke: "currentColor", "stroke-width": 2 });
  if (look.bars) {
    for (const [x, y] of [[3, 4], [9, 0], [15, 2]]) {
      svg.append(shape("rect", { x, y, width: 4, height: 10 - y, fill: "currentColor", stroke: "none" }));
    }
    return svg;
  }
  svg.append(shape("line", { x1: 0, y1: 5, x2: 22, y2: 5, "stroke-dasharray": (look.dash ?? []).join(" ") || "none" }));
  if ("hollow" in look) svg.append(shape("circle", { cx: 11, cy: 5, r: 3, fill: look.hollow ? "Canvas" : "currentColor" }));
  return svg;
}

function lineOf(name) {
  const look = LOOKS[name];
  const stroke = () => colourOf(name);
  const nonzero = (u, place) => u.data[place].flatMap((value, at) => (value ? [at] : []));
  if (look.bars) {
    return {
      stroke,
      fill: () => faint(colourOf(name), 0.75),
      width: 0,
      points: { show: false },
      paths: window.uPlot.paths.bars({ size: [0.72, 40], radius: 0.15 }),
    };
  }
  if (look.area) return { stroke, fill: () => faint(colourOf(name), 0.14), width: 2, points: { show: false } };
  if (!("hollow" in look)) return { stroke, width: 2, points: { show: false } };
  const fill = () => (look.hollow ? quiet("--body-bg") : colourOf(name));
  return { stroke, width: 1.75, dash: look.dash, points: { show: true, size: 6, width: 1.5, stroke, fill, filter: nonzero } };
}

class Plot {
  constructor(figure, data) {
    this.figure = figure;
    this.data = data;
    this.lines = figure.dataset.lines.split(" ");
    this.place = figure.querySelector(".crowd-canvas");
    this.heading = figure.querySelector("h2").textContent;
    this.keys = this.makeKeys(figure.querySelector(".crowd-keys"));
    this.draw();
  }

  makeKeys(list) {
    const heads = [...figureHeads(this.figure)];
    this.moment = document.createElement("li");
    const values = this.lines.map((name, at) => {
      const item = document.createElement("li");
      const value = document.createElement("b");
      const label = document.createElement("span");
      const icon = document.createElement("span");
      icon.className = `crowd-line-${name}`;
      icon.append(sample(LOOKS[name]));
      label.textContent = heads[at];
      item.append(icon, label, value);
      list.append(item);
      return value;
    });
    list.append(this.moment);
    return values;
  }

  draw() {
    this.place.hidden = false;
    const grid = { stroke: () => quiet("--hairline-color"), width: 1 };
    const ticks = { ...grid, size: 4 };
    const stroke = () => quiet("--body-quiet-color");
    const font = `11px ${quiet("--font-family-primary") || "sans-serif"}`;
    const rootmost = (u, low, high) => [0, Math.max(4, Math.ceil((high ?? 0) * 1.08))];
    this.uplot = new window.uPlot(
      {
        ...this.size(),
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: { x: { time: false, range: () => [-0.6, this.data.labels.length - 0.4] }, y: { range: rootmost } },
        axes: [
          { stroke, font, ticks, grid: { show: false }, size: 26, gap: 2, space: 52, incrs: [1, 2, 3, 5, 10, 15, 20], values: (u, at) => at.map((one) => this.data.labels[one] ?? "") },
          { stroke, font, ticks: { show: false }, grid, size: (u, values) => 14 + 7 * Math.max(2, ...(values ?? []).map((one) => one.length)), gap: 4, space: 34, incrs: whole(), values: (u, at) => at.map((one) => one.toLocaleString(document.documentElement.lang)) },
        ],
        series: [{}, ...this.lines.map(lineOf)],
        hooks: { setCursor: [(u) => this.read(u.cursor.idx)] },
      },
      this.columns(),
      this.place,
    );
    new ResizeObserver(() => this.uplot.setSize(this.size())).observe(this.place);
  }

  size() {
    return { width: Math.max(200, this.place.clientWidth), height: this.place.clientHeight };
  }

  columns() {
    return [this.data.labels.map((_label, at) => at), ...this.data.series];
  }

  read(at) {
    const there = at !== null && at !== undefined && at in this.data.labels;
    this.moment.textContent = there ? this.data.labels[at] : "";
    this.keys.forEach((key, line) => {
      key.textContent = there ? this.data.rows[at][line + 1] : "";
    });
  }

  update(data) {
    this.data = data;
    this.uplot.setData(this.columns());
    this.read(this.uplot.cursor.idx);
  }
}

function figureHeads(figure) {
  return [...figure.querySelectorAll("thead th")].slice(1).map((head) => head.textContent);
}

function whole() {
  return [...Array(9).keys()].flatMap((power) => [1, 2, 5].map((one) => one * 10 ** power));
}

function fillTable(figure, data) {
  const heading = figure.querySelector("h2").textContent;
  const said = `${heading}: ${data.summary}`;
  const summary = figure.querySelector("[data-summary]");
  const canvas = figure.querySelector(".crowd-canvas");
  if (summary.textContent !== data.summary) summary.textContent = data.summary;
  if (canvas.getAttribute("aria-label") !== said) canvas.setAttribute("aria-label", said);
  const rows = figure.querySelector("tbody").rows;
  data.rows.forEach((row, place) => {
    row.forEach((text, column) => {
      const cell = rows[place].cells[column];
      if (cell.textContent !== text) cell.textContent = text;
    });
  });
}

// Draws each figure; the answer is a function that brings new numbers into tables and plots.
export function drawPlots(plots) {
  const figures = [...document.querySelectorAll("[data-plot]")];
  const drawn = new Map();
  const drawVisible = (all) => {
    if (!window.uPlot) return;
    for (const figure of figures) {
      const name = figure.dataset.plot;
      if (!drawn.has(name) && figure.offsetParent) drawn.set(name, new Plot(figure, all[name]));
    }
  };
  drawVisible(plots);
  const themed = () => drawn.forEach((plot) => plot.uplot.redraw(false));
  new MutationObserver(themed).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themed);
  return (fresh) => {
    for (const figure of figures) {
      const data = fresh[figure.dataset.plot];
      fillTable(figure, data);
      drawn.get(figure.dataset.plot)?.update(data);
    }
    drawVisible(fresh);
  };
}
