// Charts by plotly, whose script comes after the tables. Colours are those of the page.

import { onSetting } from "./settings.js";
import { onAxis, zoneName } from "./times.js";
import { lengthOf } from "./ranges.js";

let library = null;
let first = Promise.resolve();

/** Charts wait for what is to be seen before them: the script keeps a browser busy for half a second. */
export const chartsAfter = (others) => {
  first = others;
};

const loaded = async () => {
  await first;
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.querySelector('meta[name="charts"]').content;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = null;
      reject(new Error("The charts' script cannot be loaded; the tables have the figures."));
    };
    document.head.append(script);
  });
  return library;
};

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const axis = (more) => ({
  gridcolor: colour("line"),
  linecolor: colour("line"),
  zeroline: false,
  automargin: true,
  fixedrange: true,
  ...more,
});

const layout = (more) => ({
  autosize: true,
  margin: { l: 4, r: 8, t: 6, b: 4 },
  paper_bgcolor: "rgba(0,0,0,0)",
  plot_bgcolor: "rgba(0,0,0,0)",
  font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("quiet") },
  hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("edge"), font: { color: colour("text") } },
  showlegend: false,
  dragmode: false,
  hovermode: "x unified",
  ...more,
});

const drawn = new Map();

const react = async (plotly, element) => {
  if (!element.isConnected) return;
  const { data, layout: made } = drawn.get(element).make();
  await plotly.react(element, data, made, { displayModeBar: false, responsive: true, scrollZoom: false });
};

/** What waits to be drawn: one after another, in the order of the page, and others get their turn in between. */
const waiting = new Set();
let isDrawing = false;

const drawAll = async () => {
  isDrawing = true;
  while (waiting.size) {
    const [element] = waiting;
    waiting.delete(element);
    try {
      await react(await loaded(), element);
    } catch (error) {
      element.textContent = error.message;
    }
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  }
  isDrawing = false;
};

const redraw = (element) => {
  waiting.add(element);
  if (!isDrawing) drawAll();
};

onSetting(() => {
  for (const element of drawn.keys()) {
    if (element.isConnected) redraw(element);
    else drawn.delete(element);
  }
});

/** Draws what `make` gives into `element`, and again when colours or times change; not when `signature` is that of what
 * is drawn there already. */
export const draw = (element, signature, make) => {
  if (drawn.get(element)?.signature === signature) return;
  drawn.set(element, { signature, make });
  redraw(element);
};

/** Where the bars begin on the axis and how wide they are, ms. An hour that local clocks show twice has two narrow bars:
 * on one another they would look like one of twice the calls. */
const bars = (rows, granularity) => {
  const starts = rows.map((row) => Date.parse(`${onAxis(row.start)}Z`));
  const lengths = rows.map((row, at) => lengthOf(row, rows[at + 1], granularity));
  const x = starts.map((start, at) =>
    new Date(start === starts[at - 1] ? start + lengths[at] / 2 : start).toISOString().slice(0, 19),
  );
  const width = lengths.map((length, at) =>
    starts[at] === starts[at - 1] || starts[at] === starts[at + 1] ? length / 2 : Math.min(length, starts[at + 1] - starts[at] || length),
  );
  return { x, width };
};

/** Admitted and denied in each row of a time series. `most` is the top of the axis; null for what they need. */
export const overTime = (rows, granularity, { ticks = 6, most = null } = {}) => {
  const { x, width } = bars(rows, granularity);
  const bar = (name, text) => ({
    type: "bar",
    name,
    x,
    y: rows.map((row) => row[name]),
    width,
    offset: 0,
    marker: { color: colour(name), line: { width: rows.length > 60 ? 0 : 1, color: colour("panel") } },
    hovertemplate: `%{y:,} ${text}<extra></extra>`,
  });
  const highest = Math.max(...rows.map((row) => row.admitted + row.denied), 0);
  const top = Math.max(most ?? highest, 1);
  const end = rows.length ? new Date(new Date(rows.at(-1).start).getTime() + width.at(-1)).toISOString() : null;
  return {
    data: [bar("admitted", "admitted"), bar("denied", "denied")],
    layout: layout({
      barmode: "stack",
      xaxis: axis({
        type: "date",
        showgrid: false,
        nticks: ticks,
        tickangle: 0,
        range: end ? [x[0], onAxis(end)] : undefined,
        hoverformat: `%-d %b, %H:%M ${zoneName()}`,
        tickformatstops: [
          { dtickrange: [null, 43_200_000], value: "%H:%M\n%-d %b" },
          { dtickrange: [43_200_000, "M1"], value: "%-d %b" },
          { dtickrange: ["M1", null], value: "%b\n%Y" },
        ],
      }),
      yaxis: axis({
        range: [0, top * 1.06],
        nticks: 4,
        separatethousands: true,
        tickformat: top < 5 ? ",d" : ",~r",
        dtick: top < 5 ? 1 : undefined,
      }),
    }),
  };
};

/** How late each of the last batches was, in seconds: arrival and counting. */
export const delays = (batches) => {
  const x = batches.map((batch) => onAxis(batch.at));
  const line = (name, text, shade) => ({
    type: "scatter",
    mode: batches.length > 1 ? "lines" : "markers",
    name: text,
    x,
    y: batches.map((batch) => batch[name] / 1000),
    line: { color: colour(shade), width: 2 },
    marker: { color: colour(shade) },
    hovertemplate: `${text} after %{y:.1f} s<extra></extra>`,
  });
  return {
    data: [line("arrival_ms", "arrived", "third"), line("counted_ms", "counted", "admitted")],
    layout: layout({
      xaxis: axis({
        type: "date",
        showgrid: false,
        nticks: 4,
        tickangle: 0,
        tickformat: "%H:%M",
        hoverformat: `%H:%M:%S ${zoneName()}`,
      }),
      yaxis: axis({ rangemode: "tozero", nticks: 4, ticksuffix: " s" }),
    }),
  };
};
