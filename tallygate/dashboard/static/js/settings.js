// What is remembered in this browser: times in UTC or local, light or dark.

const listeners = [];

export const remembered = (name, otherwise) => {
  try {
    return localStorage.getItem(name) ?? otherwise;
  } catch {
    return otherwise; // a browser that remembers nothing
  }
};

const remember = (name, value) => {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It holds until the page is loaded again.
  }
};

/** Calls `listener` when colours or times change: what is drawn is drawn again. */
export const onSetting = (listener) => listeners.push(listener);

const tell = () => {
  for (const listener of listeners) listener();
};

export const startSettings = () => {
  const zone = document.getElementById("zone");
  zone.value = remembered("zone", "utc");
  zone.addEventListener("change", () => {
    remember("zone", zone.value);
    tell();
  });
  const scheme = document.getElementById("scheme");
  scheme.value = window.tallygateScheme.chosen();
  scheme.addEventListener("change", () => {
    remember("scheme", scheme.value);
    window.tallygateScheme.apply();
  });
  new MutationObserver(tell).observe(document.documentElement, { attributeFilter: ["data-scheme"] });
};
