// The panel of the largest callers of a period.

import { ask } from "./ask.js";
import { quota, volume } from "./bars.js";
import { showChoices } from "./choices.js";
import { h, part, show } from "./dom.js";
import { clearProblem, empty, showProblem, skeleton } from "./notices.js";
import { address, go, onChange, placed } from "./place.js";
import { Refreshed } from "./refresh.js";
import { onSetting } from "./settings.js";
import { count, KINDS, ONE, percent } from "./words.js";

const MOST = "10";
const PERIODS = { today: "Today", yesterday: "Yesterday", month: "This month", before: "Last month" };

const panel = document.getElementById("top");
const [notice, body] = ["notice", "body"].map((name) => part(panel, name));
let shown = null;

const kind = () => (placed("kind") in KINDS ? placed("kind") : "ip");
const chosen = () => (placed("period") in PERIODS ? placed("period") : "month");

const period = () => {
  const now = new Date();
  const day = (back) => new Date(now.getTime() - back * 86_400_000).toISOString().slice(0, 10);
  const month = (back) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back)).toISOString().slice(0, 7);
  return { today: day(0), yesterday: day(1), month: month(0), before: month(1) }[chosen()];
};

const row = (one, most) => {
  const of = `${shown.kind}:${one.value}`;
  return h(
    "tr",
    { "data-key": one.value, "aria-current": placed("of") === of ? "true" : null },
    h(
      "th",
      { scope: "row" },
      h("a", { href: address({ of }), "data-of": of }, one.value),
      one.limits.length ? h("div", { class: "limits" }, one.limits.map(quota)) : null,
    ),
    h("td", { class: "volume" }, volume(one, most)),
    h("td", {}, count(one.admitted)),
    h("td", {}, one.denied ? `${count(one.denied)} (${percent(one.denied, one.admitted + one.denied)})` : "0"),
  );
};

const showRows = () => {
  clearProblem(notice);
  const name = KINDS[shown.kind].toLowerCase();
  show(
    part(panel, "span"),
    `${KINDS[shown.kind]} by calls admitted and denied in ${shown.period} (UTC).${shown.complete ? "" : " Some larger on that day than here may be missing."}`,
  );
  if (!shown.top.length) {
    show(
      body,
      empty(`No ${name} among the largest in ${shown.period}`, "They are ranked from the eighth call in a month on."),
    );
    return;
  }
  const most = Math.max(...shown.top.map((one) => one.admitted + one.denied));
  const head = [
    h("th", { scope: "col" }, ONE[shown.kind]),
    h("td", { class: "volume", "aria-hidden": "true" }),
    h("th", { scope: "col" }, "Admitted"),
    h("th", { scope: "col" }, "Denied"),
  ];
  show(
    body,
    h(
      "table",
      { class: "callers" },
      h(
        "caption",
        { class: "unseen" },
        `The largest ${name} in ${shown.period}, with how much of their limits is used now`,
      ),
      h("thead", {}, h("tr", {}, head)),
      h(
        "tbody",
        {},
        shown.top.map((one) => row(one, most)),
      ),
    ),
  );
};

const largest = new Refreshed({
  read: (signal) => ask("top", { kind: kind(), period: period(), limit: MOST }, signal),
  show: (found) => {
    shown = found;
    showRows();
  },
  fail: (problem, seconds) => {
    if (!shown) {
      show(part(panel, "span"), "Not read yet.");
      show(body);
    }
    showProblem(notice, problem, seconds, () => largest.now());
  },
});

const showControls = () => {
  showChoices(part(panel, "kinds"), "kind", KINDS, kind());
  const select = part(panel, "period");
  show(
    select,
    Object.entries(PERIODS).map(([value, label]) => h("option", { value }, label)),
  );
  select.value = chosen();
};

export const startTop = () => {
  showControls();
  show(body, skeleton(10, "rows"));
  panel.addEventListener("change", (event) => go({ [event.target.name || "period"]: event.target.value }));
  panel.addEventListener("click", (event) => {
    const link = event.target.closest("tr")?.querySelector("[data-of]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || window.getSelection().toString()) return;
    event.preventDefault();
    go({ of: link.dataset.of }, { step: true });
  });
  onChange(["kind", "period"], () => {
    showControls();
    show(body, skeleton(10, "rows"));
    shown = null;
    largest.now();
  });
  onChange(["of"], () => shown && showRows());
  onSetting(() => shown && showRows());
  return largest.now();
};
