// The panel of owners of keys: a search, and one owner's keys.

import { ask } from "./ask.js";
import { h, part, show } from "./dom.js";
import { clearProblem, empty, showProblem, skeleton } from "./notices.js";
import { address, go, onChange, placed } from "./place.js";
import { Refreshed } from "./refresh.js";
import { count, counted } from "./words.js";

const MOST = "12";
const TYPING_MS = 250;

const panel = document.getElementById("owners");
const [notice, body, place, form] = ["notice", "body", "owner", "form"].map((name) => part(panel, name));
let typed = "";
let found = null;
let isWanted = false;

const link = (name) => h("a", { href: address({ owner: name }), "data-owner": name }, name);

const showOwners = () => {
  clearProblem(notice);
  if (!found.owners.length) {
    const command = h("code", {}, "tallygate keys create --owner acme --plan starter");
    show(
      body,
      typed
        ? empty(`No owner has “${typed}” in the name`)
        : empty("Nobody has a key yet", "This gives one out:", command),
    );
    return;
  }
  const rows = found.owners.map((one) =>
    h(
      "tr",
      { "data-key": one.owner, "aria-current": placed("owner") === one.owner ? "true" : null },
      h("th", { scope: "row" }, link(one.owner)),
      h("td", {}, counted(one.keys, "key")),
    ),
  );
  show(
    body,
    h("table", {}, h("caption", { class: "unseen" }, "Owners of keys in alphabetical order"), h("tbody", {}, rows)),
    found.cursor ? h("p", { class: "quiet" }, "There are more: type a part of the name.") : null,
  );
};

const owners = new Refreshed({
  seconds: 30,
  read: (signal) => ask("owners", typed ? { q: typed, limit: MOST } : { limit: MOST }, signal),
  show: (document) => {
    found = document;
    showOwners();
  },
  fail: (problem, seconds) => {
    if (!found) show(body);
    showProblem(notice, problem, seconds, () => owners.now());
  },
});

const key = (one) => {
  const of = `key:${one.counted_as}`;
  return h(
    "tr",
    { "data-key": one.id },
    h(
      "th",
      { scope: "row" },
      h("a", { href: address({ of }), "data-of": of }, h("code", {}, one.id)),
      one.note ? h("p", { class: "quiet" }, one.note) : null,
    ),
    h("td", { class: "text" }, one.plan),
    h("td", { class: "text" }, one.status),
    [one.admitted, one.charged, one.denied].map((number) => h("td", {}, count(number))),
  );
};

const total = (name, counts) =>
  h(
    "tr",
    { "data-key": `total ${name}` },
    h("th", { scope: "row" }, name),
    h("td"),
    h("td"),
    [counts.admitted, counts.charged, counts.denied].map((number) => h("td", {}, h("b", {}, count(number)))),
  );

const showOwner = (one) => {
  const columns = ["Key", "Plan", "State", "Admitted", "Charged", "Denied"];
  const of = `owner:${one.owner}`;
  show(
    place,
    h("h3", { tabindex: "-1", "data-heading": true }, `${one.owner} in ${one.month}`),
    h(
      "div",
      { class: "scroll", role: "region", tabindex: "0", "aria-label": `Keys of ${one.owner}` },
      h(
        "table",
        {},
        h("caption", { class: "unseen" }, `Keys of ${one.owner}, and what they used in ${one.month}`),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            columns.map((name, at) => h("th", { scope: "col", class: at === 1 || at === 2 ? "text" : null }, name)),
          ),
        ),
        h(
          "tbody",
          {},
          one.keys.map(key),
          one.keys.length > 1 ? total("All of them", one.total) : null,
          one.own ? total("Shared quota", one.own) : null,
        ),
      ),
    ),
    one.own ? h("p", {}, h("a", { href: address({ of }), "data-of": of }, "The quota that these keys share")) : null,
  );
  if (isWanted) place.querySelector("[data-heading]").focus();
  isWanted = false;
};

const owner = new Refreshed({
  seconds: 10,
  read: (signal) => ask("owner", { name: placed("owner") }, signal),
  show: (document) => {
    clearProblem(notice);
    showOwner(document);
  },
  fail: (problem, seconds) => showProblem(notice, problem, seconds, () => owner.now()),
});

const turn = () => {
  show(place);
  if (found) showOwners();
  if (placed("owner") === null) {
    owner.stop();
    return;
  }
  show(place, skeleton(3));
  owner.now();
};

export const startOwners = () => {
  show(body, skeleton(4));
  let timer = null;
  const search = () => {
    clearTimeout(timer);
    typed = form.elements.q.value.trim();
    owners.now();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, TYPING_MS);
  });
  document.addEventListener("click", (event) => {
    const to = event.target.closest("a[data-of], a[data-owner]");
    if (!to || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    isWanted = "owner" in to.dataset;
    go("owner" in to.dataset ? { owner: to.dataset.owner } : { of: to.dataset.of }, { step: true });
  });
  onChange(["owner"], turn);
  turn();
  return owners.now();
};
