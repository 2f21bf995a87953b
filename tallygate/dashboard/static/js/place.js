// What is looked at, in the address of the page: a link to it shows the same, and the browser's Back goes back.

const listeners = [];

const parameters = () => new URLSearchParams(location.search);

/** What `name` is set to, or `otherwise`. */
export const placed = (name, otherwise = null) => parameters().get(name) ?? otherwise;

/** The address with `changes`; null takes a name away. */
export const address = (changes) => {
  const changed = parameters();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) changed.delete(name);
    else changed.set(name, value);
  }
  return changed.size ? `?${changed}` : location.pathname;
};

/** Goes there. `step`: Back comes back from it. */
export const go = (changes, { step = false } = {}) => {
  const before = parameters();
  history[step ? "pushState" : "replaceState"](null, "", address(changes));
  tell(before);
};

/** Calls `listener` whenever one of `names` changes. */
export const onChange = (names, listener) => listeners.push({ names, listener });

let seen = parameters();
const tell = (before) => {
  const now = parameters();
  seen = now;
  for (const { names, listener } of listeners) {
    if (names.some((name) => before.get(name) !== now.get(name))) listener();
  }
};
window.addEventListener("popstate", () => tell(seen));
