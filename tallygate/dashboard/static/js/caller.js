// The panel of one caller: who it is, what a call would be told now, its limits, and what each home knows of it.

import { ask } from "./ask.js";
import { quota } from "./bars.js";
import { h, part, show } from "./dom.js";
import { startHistory, tellHistory } from "./history.js";
import { clearProblem, empty, showProblem, skeleton } from "./notices.js";
import { address, go, onChange, placed } from "./place.js";
import { Refreshed } from "./refresh.js";
import { onSetting } from "./settings.js";
import { fromNow, moment, zoneName } from "./times.js";
import { count, duration, KINDS, ONE, rate } from "./words.js";

const REASONS = {
  key: "the key itself: unknown, revoked or expired",
  address: "a rule that blocks its address",
  plan: "no plan that is in force",
};
const SECRET = /^tg_[0-9A-Za-z]+_[0-9A-Za-z]{36}$/;
const KEY_ID_BYTES = 8;

const panel = document.getElementById("caller");
const [notice, body, form] = ["notice", "body", "form"].map((name) => part(panel, name));
let shown = null;
let isWanted = false;

const asked = () => {
  const of = placed("of");
  const colon = of === null ? -1 : of.indexOf(":");
  return colon > 0 && of.slice(0, colon) in KINDS ? { kind: of.slice(0, colon), value: of.slice(colon + 1) } : null;
};

/** The id of a key whose secret was typed: a secret goes into no address and to no server. */
const idOf = async (secret) => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret));
  return [...new Uint8Array(digest)]
    .slice(0, KEY_ID_BYTES)
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
};

const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));

const since = (time) => h("time", { datetime: time, title: `${moment(time)} ${zoneName()}` }, fromNow(time, duration));

const keyLink = (id) => h("a", { href: address({ of: `key:${id}` }), "data-of": `key:${id}` }, h("code", {}, id));

const facts = () => {
  const { owner, plan, state, taken_over_by: successor } = shown;
  return h(
    "dl",
    { class: "facts" },
    fact("Kind", ONE[shown.kind]),
    plan === null ? null : fact("Plan", plan),
    state === null ? null : fact("State", state),
    successor === null ? null : fact("Taken over by", keyLink(successor)),
    owner === null || shown.kind === "owner"
      ? null
      : fact("Owner", h("a", { href: address({ owner }), "data-owner": owner }, owner)),
  );
};

const decision = () => {
  const { allowed, refused_by: refusedBy } = shown.decision;
  const opens = shown.limits
    .filter((limit) => refusedBy.includes(limit.policy))
    .map((limit) => limit.resets)
    .sort()
    .at(-1);
  const why = refusedBy.map((name) => REASONS[name] ?? name).join(", ");
  return h(
    "div",
    { class: "decision", "data-allowed": String(allowed) },
    h("span", { class: "sign", "aria-hidden": "true" }, allowed ? "✓" : "✕"),
    h(
      "p",
      {},
      h("b", {}, allowed ? "A call now would be admitted" : "A call now would be refused"),
      allowed
        ? "By all that the regions know; a region also counts what it has admitted itself."
        : `By ${why}${opens ? `; opens ${fromNow(opens, duration)}` : ""}.`,
    ),
  );
};

const limits = () => {
  if (!shown.limits.length) return h("p", { class: "quiet" }, "No limit holds for it.");
  return h(
    "div",
    { class: "limits" },
    shown.limits.map((limit) => {
      const more = [
        `${count(limit.remaining)} left`,
        `${count(limit.published)} known to the regions`,
        limit.rolling ? "rolling" : null,
        limit.soft ? "only warns" : null,
      ];
      return h(
        "div",
        { "data-key": limit.policy },
        quota(limit),
        h("p", { class: "quiet" }, more.filter(Boolean).join(", ")),
      );
    }),
  );
};

const homes = () =>
  h(
    "div",
    { class: "scroll", role: "region", tabindex: "0", "aria-label": "This month by home" },
    h(
      "table",
      {},
      h("caption", { class: "unseen" }, "What each home counted this month, and when"),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["Home", "Admitted", "Charged", "Denied", "Offered", "Counted", "Published"].map((name) =>
            h("th", { scope: "col" }, name),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        shown.homes.map((one) =>
          h(
            "tr",
            { "data-key": one.home },
            h("th", { scope: "row" }, one.home),
            [one.admitted, one.charged, one.denied].map((number) => h("td", {}, count(number))),
            h("td", {}, rate(one.rate)),
            [one.counted_at, one.published_at].map((time) => h("td", {}, time === null ? "–" : since(time))),
          ),
        ),
      ),
    ),
  );

const adjustments = () => {
  const { baselines, top_ups: topUps } = shown.adjustments;
  const lines = [
    ...Object.entries(topUps).flatMap(([name, byId]) =>
      Object.entries(byId).map(([id, units]) => `${name.replace("#", " ")}: ${count(units)} more (${id})`),
    ),
    ...Object.entries(baselines).flatMap(([name, byHome]) =>
      Object.entries(byHome).map(
        ([home, units]) => `${name.replace("#", " ")}: begun again at ${count(units)} in ${home}`,
      ),
    ),
  ];
  return lines.length
    ? [
        h("h3", {}, "Resets and top-ups"),
        h(
          "ul",
          {},
          lines.map((line) => h("li", { "data-key": line }, line)),
        ),
      ]
    : [];
};

const showCaller = () => {
  clearProblem(notice);
  show(
    body,
    h("h3", { class: "identifier", tabindex: "-1", "data-heading": true }, h("code", {}, shown.value)),
    facts(),
    decision(),
    limits(),
    h("h3", {}, "This month by home"),
    homes(),
    adjustments(),
  );
  if (isWanted) body.querySelector("[data-heading]").focus();
  isWanted = false;
};

const showNobody = () => {
  clearProblem(notice);
  show(
    body,
    empty(
      "Nobody is chosen",
      "Choose one of the largest, or type an address, a site, an owner or a key: its id or its secret, which stays in this browser.",
    ),
  );
};

const standing = new Refreshed({
  read: (signal) => ask("standing", asked(), signal),
  show: (found) => {
    shown = found;
    showCaller();
    tellHistory(shown);
  },
  fail: (problem, seconds) => {
    if (!shown) show(body, h("p", { class: "quiet" }, problem.again ? "Not read yet." : "Look for another."));
    showProblem(notice, problem, seconds, () => standing.now());
  },
});

const turn = () => {
  const who = asked();
  shown = null;
  tellHistory(null);
  if (who === null) {
    standing.stop();
    showNobody();
    return;
  }
  form.elements.kind.value = who.kind;
  form.elements.value.value = who.value;
  show(body, skeleton(9));
  standing.now();
};

export const startCaller = () => {
  show(
    form.elements.kind,
    Object.entries(ONE).map(([value, label]) => h("option", { value }, label)),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const kind = form.elements.kind.value;
    const typed = form.elements.value.value.trim();
    if (!typed) return form.elements.value.focus();
    const of = `${kind}:${kind === "key" && SECRET.test(typed) ? await idOf(typed) : typed}`;
    isWanted = true;
    if (of === placed("of")) standing.now();
    else go({ of }, { step: true });
  });
  onChange(["of"], () => {
    isWanted = true;
    turn();
  });
  onSetting(() => shown && showCaller());
  startHistory();
  turn();
};
