// Bars in SVG, whose numbers stand beside them in words.

import { h, s } from "./dom.js";
import { count, duration, percent } from "./words.js";
import { fromNow, moment, zoneName } from "./times.js";

const NEAR_PERCENT = 80;

/** Admitted and denied of one caller, as wide as its part of the largest. For eyes: the numbers stand beside it. */
export const volume = (counts, most) => {
  const of = (number) => `${(100 * number) / Math.max(most, 1)}%`;
  return s(
    "svg",
    { "aria-hidden": "true", focusable: "false" },
    s("rect", { class: "a", width: of(counts.admitted), height: "100%" }),
    s("rect", { class: "d", x: of(counts.admitted), width: of(counts.denied), height: "100%" }),
  );
};

/** A limit: how much of it is used, and until when. `published` is marked where it is known. */
export const quota = (limit) => {
  const share = limit.limit ? (100 * limit.used) / limit.limit : 100;
  const level = share >= 100 ? "spent" : share >= NEAR_PERCENT ? "near" : "room";
  const marked =
    limit.published === undefined || !limit.limit ? null : `${Math.min(100, (100 * limit.published) / limit.limit)}%`;
  return h(
    "div",
    { class: "quota", "data-level": level, "data-key": limit.policy },
    s(
      "svg",
      { class: "bar", "aria-hidden": "true", focusable: "false" },
      s("rect", { width: `${Math.min(100, share)}%`, height: "100%", rx: 4 }),
      marked ? s("line", { x1: marked, x2: marked, y1: 0, y2: "100%" }) : null,
    ),
    h(
      "div",
      { class: "said" },
      h(
        "span",
        {},
        h("b", {}, limit.policy),
        " ",
        h("span", { class: "number" }, `${count(limit.used)} of ${count(limit.limit)}`),
      ),
      h(
        "span",
        {},
        h("span", { class: "percent" }, limit.limit ? percent(limit.used, limit.limit) : "none allowed"),
        ", resets ",
        h(
          "time",
          { datetime: limit.resets, title: `${moment(limit.resets)} ${zoneName()}` },
          fromNow(limit.resets, duration),
        ),
      ),
    ),
  );
};
