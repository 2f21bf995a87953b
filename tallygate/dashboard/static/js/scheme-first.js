// Before anything is painted: the colours chosen last time, else the system's. Not a module, so that it is not late.
"use strict";
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  window.tallygateScheme = {
    chosen: () => {
      try {
        return localStorage.getItem("scheme") || "system";
      } catch {
        return "system"; // a browser that remembers nothing
      }
    },
    apply() {
      const chosen = this.chosen();
      document.documentElement.dataset.scheme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
    },
  };
  dark.addEventListener("change", () => window.tallygateScheme.apply());
  window.tallygateScheme.apply();
})();
