// Radio buttons that look like one segmented control, made of labels by value.

import { h, show } from "./dom.js";

/** Fills `fieldset`, whose legend stays. `offered`: those that can be chosen. */
export const showChoices = (fieldset, name, labels, chosen, offered = Object.keys(labels)) => {
  const legend = fieldset.querySelector("legend");
  show(
    fieldset,
    h("legend", {}, legend.textContent),
    Object.entries(labels).map(([value, label]) =>
      h(
        "label",
        { "data-key": value },
        h("input", { type: "radio", name, value, checked: value === chosen, disabled: !offered.includes(value) }),
        h("span", {}, label),
      ),
    ),
  );
  for (const input of fieldset.querySelectorAll("input")) input.checked = input.value === chosen;
};
