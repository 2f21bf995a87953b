// The panel of all calls: totals, a chart of all regions, one of each, and the same as a table.

import { askRows } from "./ask.js";
import { draw, overTime } from "./charts.js";
import { showChoices } from "./choices.js";
import { h, part, show } from "./dom.js";
import { clearProblem, empty, showProblem, skeleton } from "./notices.js";
import { go, onChange, placed } from "./place.js";
import { RANGES, rangeQuery, STEPS, stepOf } from "./ranges.js";
import { Refreshed } from "./refresh.js";
import { onSetting } from "./settings.js";
import { period, zoneName } from "./times.js";
import { count, percent } from "./words.js";

const OFFERED = ["6h", "24h", "7d", "month"];
const NOTHING = { admitted: 0, charged: 0, denied: 0 };

const panel = document.getElementById("calls");
const [notice, chart, regions] = ["notice", "chart", "regions"].map((name) => part(panel, name));
const table = part(panel, "table").querySelector("div");

let service = { regions: [], first_call: null };
let shown = null;

const range = () => (OFFERED.includes(placed("range")) ? placed("range") : "24h");
const step = () => stepOf(range(), placed("step"));

const showControls = () => {
  const labels = Object.fromEntries(OFFERED.map((name) => [name, RANGES[name].label]));
  showChoices(part(panel, "ranges"), "range", labels, range());
  showChoices(part(panel, "steps"), "step", STEPS, step(), Object.keys(RANGES[range()].from));
};

/** A tile of the row at the top: `said` is below the number. */
export const showTile = (name, number, said) => {
  const tile = part(panel, `tile-${name}`);
  show(tile.querySelector("dd"), h("span", { class: "number" }, number), h("small", {}, said));
};

const showTiles = (total) => {
  const all = total.admitted + total.denied;
  showTile("admitted", count(total.admitted), "units");
  showTile("denied", count(total.denied), `calls, ${percent(total.denied, all)} of all`);
};

const byRegion = (rows, region) => rows.map((row) => ({ start: row.start, ...(row.by[region] ?? NOTHING) }));

const sum = (rows, name) => rows.reduce((total, row) => total + row[name], 0);

const showRegions = (series) => {
  const names = [...new Set([...service.regions, ...series.rows.flatMap((row) => Object.keys(row.by))])];
  const found = names.map((name) => ({ name, rows: byRegion(series.rows, name) }));
  const most = Math.max(1, ...found.flatMap(({ rows }) => rows.map((row) => row.admitted + row.denied)));
  show(
    regions,
    found.map(({ name, rows }) => {
      const [admitted, denied] = [sum(rows, "admitted"), sum(rows, "denied")];
      return h(
        "figure",
        { class: "region", "data-key": name },
        h("h3", {}, name),
        h(
          "p",
          {},
          h("span", { class: "mark" }),
          `${count(admitted)} admitted, `,
          h("span", { class: "mark denied" }),
          `${count(denied)} denied (${percent(denied, admitted + denied)})`,
        ),
        h("div", {
          class: "chart",
          "data-own": true,
          role: "img",
          "aria-label": `Calls admitted and denied over time in ${name}`,
        }),
      );
    }),
  );
  found.forEach(({ name, rows }) => {
    const place = regions.querySelector(`[data-key="${CSS.escape(name)}"] .chart`);
    draw(place, JSON.stringify([rows, most]), () => overTime(rows, series.granularity, { ticks: 3, most }));
  });
};

const showTable = (series) => {
  const names = Object.keys(Object.assign({}, ...series.rows.map((row) => row.by)));
  const rows = [...series.rows].reverse().filter((row) => row.admitted || row.denied);
  const cells = (counts) => [h("td", {}, count(counts.admitted)), h("td", {}, count(counts.denied))];
  show(
    table,
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, "Calls over time, newest first; periods without calls are left out"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, `From (${zoneName()})`),
          ["All regions", ...names].flatMap((name) => [
            h("th", { scope: "col" }, `${name} admitted`),
            h("th", { scope: "col" }, "denied"),
          ]),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            { "data-key": row.start },
            h("th", { scope: "row" }, period(row.start, series.granularity)),
            cells(row),
            names.map((name) => cells(row.by[name] ?? NOTHING)),
          ),
        ),
      ),
    ),
  );
};

const showEmpty = () => {
  const place = part(panel, "empty");
  const isEmpty = !shown.total.admitted && !shown.total.denied;
  part(panel, "body").hidden = isEmpty;
  if (!isEmpty) return show(place);
  const call = service.first_call;
  const words = call
    ? ["Send the first call, and it is here within seconds:", h("code", {}, call)]
    : ["A call of any route of your API is here within seconds, or a minute where regions are far."];
  return show(place, empty(`No call was counted in ${RANGES[range()].words}`, ...words));
};

const showAll = () => {
  clearProblem(notice);
  part(panel, "body").removeAttribute("aria-busy");
  show(
    part(panel, "span"),
    `${RANGES[range()].words[0].toUpperCase()}${RANGES[range()].words.slice(1)}, by the ${shown.granularity}; times in ${zoneName()}.`,
  );
  showTiles(shown.total);
  showEmpty();
  if (part(panel, "body").hidden) return;
  draw(chart, JSON.stringify(shown.rows), () =>
    overTime(shown.rows, shown.granularity, { ticks: window.innerWidth < 600 ? 4 : 10 }),
  );
  showRegions(shown);
  showTable(shown);
};

const series = new Refreshed({
  read: (signal) => askRows({ kind: "all", ...rangeQuery(range(), step()) }, signal),
  show: (found) => {
    shown = found;
    showAll();
  },
  fail: (problem, seconds) => {
    if (!shown) {
      part(panel, "body").hidden = true;
      show(part(panel, "span"), "Not read yet.");
      for (const name of ["admitted", "denied"]) showTile(name, "–", "not read");
    }
    showProblem(notice, problem, seconds, () => series.now());
  },
});

/** Starts the panel; `about` is GET /api/service, which may come later. */
export const startCalls = () => {
  showControls();
  part(panel, "body").setAttribute("aria-busy", "true");
  for (const name of ["admitted", "denied", "rate", "delay"])
    show(part(panel, `tile-${name}`).querySelector("dd"), skeleton(1));
  panel.addEventListener("change", (event) => go({ [event.target.name]: event.target.value }));
  onChange(["range", "step"], () => {
    showControls();
    series.now();
  });
  onSetting(() => shown && showAll());
  return series.now();
};

export const tellCalls = (about) => {
  service = about;
  if (shown) showAll();
};
