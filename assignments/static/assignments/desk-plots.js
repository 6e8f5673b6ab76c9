/* Draws a reviewer's numbers with uPlot, in the page's own colours. Without the library the table says it all. */

const HEIGHT = 220;
const COLOURS = ["--plot-1", "--plot-2", "--plot-3"];
const DASHES = [[], [6, 4], [2, 3]];

const root = document.getElementById("plots");
const data = JSON.parse(document.getElementById("plots-data").textContent);
const language = document.documentElement.lang || "en";

/** Resolves once a script or a stylesheet has come. */
function load(element) {
  return new Promise((resolve, reject) => {
    element.addEventListener("load", resolve);
    element.addEventListener("error", reject);
    document.head.append(element);
  });
}

function loadLibrary() {
  const { script, style } = root.dataset;
  if (!script) return Promise.reject(new Error("The library is not here."));
  return Promise.all([
    load(Object.assign(document.createElement("script"), { src: script })),
    load(Object.assign(document.createElement("link"), { rel: "stylesheet", href: style })),
  ]);
}

const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

/** A start of a period in UTC, in which the periods are. */
const DAYS = new Intl.DateTimeFormat(language, { timeZone: "UTC", day: "numeric", month: "short" });
const MONTHS = new Intl.DateTimeFormat(language, { timeZone: "UTC", month: "short", year: "numeric" });
const periodName = (seconds) => (root.dataset.period === "month" ? MONTHS : DAYS).format(seconds * 1000);

/** Seconds to read: "45 s", "3 min", "2.5 h". */
function duration(seconds) {
  const short = (value) => String(Math.round(value * 10) / 10);
  if (seconds < 120) return `${short(seconds)} s`;
  return seconds < 7200 ? `${short(seconds / 60)} min` : `${short(seconds / 3600)} h`;
}

function draw(figure) {
  const { series, labels, when, unit } = figure.dataset;
  const names = series.split(" ");
  const titles = labels.split("|");
  const say = (value) => (value == null ? "–" : unit === "seconds" ? duration(value) : String(value));
  const axis = { stroke: colour("--quiet"), font: "12px system-ui", grid: { stroke: colour("--edge"), width: 1 }, ticks: { show: false } };
  const options = {
    width: figure.clientWidth - 2 * parseFloat(getComputedStyle(figure).paddingLeft),
    height: HEIGHT,
    tzDate: (seconds) => new Date(seconds * 1000),
    // Until somebody points at the plot, the legend tells of the newest period.
    hooks: { ready: [(plot) => plot.setLegend({ idx: data.start.length - 1 })] },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      { ...axis, splits: () => thinned(data.start, figure.clientWidth), values: (_plot, at) => at.map(periodName) },
      { ...axis, size: 62, values: (_plot, values) => values.map(say) },
    ],
    series: [
      { label: when, value: (_plot, at) => (at == null ? "–" : periodName(at)) },
      ...names.map((_name, index) => ({
        label: titles[index],
        stroke: colour(COLOURS[index]),
        width: 2,
        dash: DASHES[index],
        points: { size: 7, fill: colour("--surface") },
        value: (_plot, value) => say(value),
      })),
    ],
  };
  return new uPlot(options, [data.start, ...names.map((name) => data[name])], figure);
}

/** As many of the periods as have room for their names below the plot, the newest among them. */
function thinned(all, width) {
  const step = Math.ceil(all.length / Math.max(2, Math.floor(width / 90)));
  return all.filter((_at, index) => (all.length - 1 - index) % step === 0);
}

let plots = [];

function drawAll() {
  plots.forEach((plot) => plot.destroy());
  plots = [...root.querySelectorAll(".plot")].map(draw);
}

if (root) {
  loadLibrary().then(
    () => {
      root.hidden = false;
      drawAll();
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
      let width = root.clientWidth;
      new ResizeObserver(() => {
        if (root.clientWidth === width) return;
        width = root.clientWidth;
        drawAll();
      }).observe(root);
    },
    () => {},
  );
}
