// What one caller did over time: a chart, and the same as a table.

import { ask, askRows } from "./ask.js";
import { draw, overTime } from "./charts.js";
import { showChoices } from "./choices.js";
import { h, part, show } from "./dom.js";
import { clearProblem, empty, showProblem } from "./notices.js";
import { go, onChange, placed } from "./place.js";
import { RANGES, rangeQuery, stepOf } from "./ranges.js";
import { Refreshed } from "./refresh.js";
import { onSetting } from "./settings.js";
import { period, zoneName } from "./times.js";
import { count } from "./words.js";

const OFFERED = ["24h", "7d", "month", "year"];

const place = part(document.getElementById("caller"), "history");
let who = null;
let shown = null;

const range = () => (OFFERED.includes(placed("past")) ? placed("past") : "month");
const step = () => stepOf(range(), range() === "7d" ? "day" : null);

const build = () => {
  const chart = {
    class: "chart middle",
    "data-part": "past-chart",
    role: "img",
    "aria-label": "Admitted and denied over time; the table below has the figures",
  };
  const table = {
    class: "scroll",
    "data-part": "past-table",
    role: "region",
    tabindex: "0",
    "aria-label": "History as a table",
  };
  show(
    place,
    h(
      "div",
      { class: "head" },
      h("h3", {}, "History"),
      h(
        "fieldset",
        { class: "segments", "data-part": "past", "data-own": true },
        h("legend", {}, "Time range of the history"),
      ),
    ),
    h("div", { "data-part": "past-notice", "data-own": true }),
    h(
      "div",
      { "data-part": "past-body", "data-own": true },
      h("p", { class: "quiet", "data-part": "past-total" }, "…"),
      h("div", chart),
      h("details", {}, h("summary", {}, "The same as a table"), h("div", table)),
    ),
  );
};

const showControls = () =>
  showChoices(
    part(place, "past"),
    "past",
    Object.fromEntries(OFFERED.map((name) => [name, RANGES[name].label])),
    range(),
  );

const showPast = () => {
  clearProblem(part(place, "past-notice"));
  part(place, "past-body").hidden = false;
  const { rows, granularity, total } = shown;
  show(
    part(place, "past-total"),
    `${count(total.admitted)} admitted (${count(total.charged)} charged), ${count(total.denied)} denied in ${RANGES[range()].words}, by the ${granularity}.`,
  );
  draw(part(place, "past-chart"), JSON.stringify([who, rows]), () => overTime(rows, granularity, { ticks: 5 }));
  const newest = [...rows].reverse().filter((row) => row.admitted || row.denied);
  show(
    part(place, "past-table"),
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, "History, newest first; periods without calls are left out"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          [`From (${zoneName()})`, "Admitted", "Charged", "Denied"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        newest.map((row) =>
          h(
            "tr",
            { "data-key": row.start },
            h("th", { scope: "row" }, period(row.start, granularity)),
            [row.admitted, row.charged, row.denied].map((number) => h("td", {}, count(number))),
          ),
        ),
      ),
    ),
  );
};

/** Since when such counts are kept depends on who it is: a question about this very hour tells. */
const keptFrom = async (query, signal) => {
  const { from } = rangeQuery("6h", "hour");
  const now = await ask("usage", { ...who, granularity: query.granularity, from, limit: "1" }, signal);
  return now.kept_from > query.from ? now.kept_from : query.from;
};

/** That hours are not counted for somebody is no failure, but how it is set up. */
const showFailure = (problem, seconds) => {
  const notice = part(place, "past-notice");
  if (problem.parameter !== "granularity") return showProblem(notice, problem, seconds, () => past.now());
  part(place, "past-body").hidden = true; // what is there is of another range
  return show(
    notice,
    empty(
      "It is not counted by the hour",
      "Hours are counted for those who have a limit by the hour; days and months of everybody.",
    ),
  );
};

const past = new Refreshed({
  seconds: 10,
  read: async (signal) => {
    const query = rangeQuery(range(), step());
    return askRows({ ...who, ...query, from: await keptFrom(query, signal) }, signal);
  },
  show: (found) => {
    shown = found;
    showPast();
  },
  fail: showFailure,
});

/** Shows the past of whom a standing is about; null for nobody. Told again, it goes on as it does. */
export const tellHistory = (standing) => {
  place.hidden = standing === null;
  if (standing === null) {
    who = shown = null;
    past.stop();
    return;
  }
  if (who?.kind === standing.kind && who?.value === standing.value) return;
  who = { kind: standing.kind, value: standing.value };
  shown = null;
  build();
  showControls();
  past.now();
};

export const startHistory = () => {
  place.addEventListener("change", (event) => go({ past: event.target.value }));
  onChange(["past"], () => {
    if (who === null) return;
    showControls();
    past.now();
  });
  onSetting(() => shown && showPast());
};
