// What a panel says when there is nothing to show, or it cannot be read.

import { h, show } from "./dom.js";

const sentence = (text) => text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** Says what failed and when it is tried again, with a button for those who cannot wait. What was shown stays. */
export const showProblem = (place, problem, seconds, again) => {
  show(
    place,
    h(
      "div",
      { class: "notice", role: "alert" },
      h(
        "p",
        {},
        h("b", {}, problem.title),
        sentence(problem.message),
        seconds === null ? null : ` Trying again in ${Math.round(seconds)} s.`,
      ),
      problem.again ? h("button", { type: "button", class: "button", "data-again": true }, "Try now") : null,
    ),
  );
  const button = place.querySelector("[data-again]");
  if (button) button.onclick = again;
};

export const clearProblem = (place) => show(place);

/** `lines` grey lines where there will be text; or as many `rows` of a table of callers. */
export const skeleton = (lines, kind = "lines") =>
  h(
    "div",
    { class: `skeletons ${kind}`, "aria-hidden": "true" },
    Array.from({ length: lines }, () => h("span", { class: "skeleton" })),
  );

export const empty = (title, ...words) => h("div", { class: "empty" }, h("b", {}, title), ...words);
