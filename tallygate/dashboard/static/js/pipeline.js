// The panel of counting: how late it is, writer by writer, what waits, and what could not be counted.

import { ask } from "./ask.js";
import { showTile } from "./calls.js";
import { delays, draw } from "./charts.js";
import { h, part, s, show } from "./dom.js";
import { clearProblem, empty, showProblem, skeleton } from "./notices.js";
import { Refreshed } from "./refresh.js";
import { onSetting } from "./settings.js";
import { fromNow, moment, zoneName } from "./times.js";
import { count, duration, rate } from "./words.js";

const FRESH_MS = 60_000;

const panel = document.getElementById("pipeline");
const [notice, body, rejects] = ["notice", "body", "rejects"].map((name) => part(panel, name));
let shown = null;

const stages = (delay) => {
  const last = Math.max(delay.counted, delay.published ?? 0, 1);
  const of = (ms) => `${(100 * ms) / last}%`;
  const stage = (name, said, ms) =>
    h(
      "div",
      {},
      h("dt", {}, h("span", { class: `mark ${name}` }), said),
      h("dd", {}, ms === null ? "–" : duration(ms)),
    );
  const bar = (name, from, to) =>
    s("rect", { class: name, x: of(from), width: of(Math.max(0, to - from)), height: "100%" });
  return h(
    "div",
    { class: "stages" },
    s(
      "svg",
      { "aria-hidden": "true", focusable: "false" },
      bar("arrival", 0, delay.arrival),
      bar("counted", delay.arrival, delay.counted),
      delay.published === null ? null : bar("published", delay.counted, delay.published),
    ),
    h(
      "dl",
      {},
      stage("arrival", "Arrived after", delay.arrival),
      stage("counted", "Counted after", delay.counted),
      stage("published", "Published after", delay.published),
    ),
  );
};

const backlog = (one) => {
  if (one.waiting_since !== null)
    return `Calls wait to be counted since ${duration(Math.max(0, new Date(shown.at) - new Date(one.waiting_since)))}`;
  if (one.behind_ms === null) return "Nothing is known to wait";
  return one.behind_ms ? `${duration(one.behind_ms)} behind the newest record` : "Nothing waits to be counted";
};

const lastCounted = (one) =>
  one.counted_at === null
    ? "nothing counted of late"
    : h(
        "span",
        {},
        "last batch ",
        h(
          "time",
          { datetime: one.counted_at, title: `${moment(one.counted_at)} ${zoneName()}` },
          fromNow(one.counted_at, duration),
        ),
      );

const writer = (one) =>
  h(
    "article",
    { class: "writer", "data-key": `${one.home} ${one.writer}` },
    h("h3", {}, one.home, " ", h("code", {}, one.writer)),
    h("p", { class: "quiet" }, backlog(one), "; ", lastCounted(one), `; ${rate(one.lines_per_second)}.`),
    one.counted_at === null ? null : stages(one.delay_ms),
    one.recent.length
      ? h("div", {
          class: "chart",
          "data-own": true,
          role: "img",
          "aria-label": `The last ${one.recent.length} batches: seconds from a call to its arrival and to being counted`,
        })
      : null,
  );

const showRejects = () =>
  show(
    rejects,
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, "What could not be counted and waits in the queue of each home"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Home", "Waiting", "Being looked at"].map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        shown.rejects.map((one) =>
          h(
            "tr",
            { "data-key": one.home },
            h("th", { scope: "row" }, one.home),
            h("td", {}, count(one.waiting)),
            h("td", {}, count(one.in_flight)),
          ),
        ),
      ),
    ),
    shown.rejects.some((one) => one.waiting)
      ? h("p", { class: "quiet" }, "Why: ", h("code", {}, "tallygate rejects list"))
      : h("p", { class: "quiet" }, "Everything that arrived could be counted."),
  );

const showTiles = () => {
  const active = shown.writers.filter((one) => one.counted_at !== null);
  const latestAt = active
    .map((one) => one.counted_at)
    .sort()
    .at(-1);
  const now = active.filter((one) => new Date(shown.at) - new Date(one.counted_at) < FRESH_MS);
  const lines = now.reduce((total, one) => total + one.lines_per_second, 0);
  if (now.length) showTile("rate", rate(lines), "calls, by the last batches");
  else
    showTile(
      "rate",
      latestAt ? rate(0) : "–",
      latestAt ? `the last was counted ${fromNow(latestAt, duration)}` : "nothing counted of late",
    );
  const latest = Math.max(0, ...active.map((one) => one.delay_ms.counted));
  showTile(
    "delay",
    active.length ? duration(latest) : "–",
    active.length ? "after the call, on average" : "nothing counted of late",
  );
};

const showPipeline = () => {
  clearProblem(notice);
  showTiles();
  if (shown.writers.length) show(body, shown.writers.map(writer));
  else show(body, empty("Nothing was counted yet", "Each shard of a home's stream is here once it has counted calls."));
  for (const one of shown.writers) {
    const place = body.querySelector(`[data-key="${CSS.escape(`${one.home} ${one.writer}`)}"] .chart`);
    if (place) draw(place, JSON.stringify(one.recent), () => delays(one.recent));
  }
  showRejects();
};

const pipeline = new Refreshed({
  read: (signal) => ask("pipeline", {}, signal),
  show: (found) => {
    shown = found;
    showPipeline();
  },
  fail: (problem, seconds) => {
    if (!shown) {
      show(body, h("p", { class: "quiet" }, "Not read yet."));
      show(rejects, h("p", { class: "quiet" }, "Not read yet."));
      for (const name of ["rate", "delay"]) showTile(name, "–", "not read");
    }
    showProblem(notice, problem, seconds, () => pipeline.now());
  },
});

export const startPipeline = () => {
  show(body, skeleton(6));
  show(rejects, skeleton(2));
  onSetting(() => shown && showPipeline());
  return pipeline.now();
};
