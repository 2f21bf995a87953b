// Starts the panels: those that are seen first are asked for first, and none waits for another.

import { ask } from "./ask.js";
import { startCalls, tellCalls } from "./calls.js";
import { chartsAfter } from "./charts.js";
import { startCaller } from "./caller.js";
import { h, show } from "./dom.js";
import { startOwners } from "./owners.js";
import { startPipeline } from "./pipeline.js";
import { onState, pause, state } from "./refresh.js";
import { onSetting, startSettings } from "./settings.js";
import { clock, zoneName } from "./times.js";
import { startTop } from "./top.js";

const showState = () => {
  const { isPaused, isFailing, readAt } = state();
  const place = document.getElementById("state");
  const at = readAt === null ? "" : `, read at ${clock(readAt)} ${zoneName()}`;
  place.dataset.state = isPaused ? "paused" : isFailing ? "failing" : readAt === null ? "starting" : "live";
  const word = { paused: "Paused", failing: "Some of it cannot be read", starting: "Reading…", live: "Live" }[
    place.dataset.state
  ];
  show(place, h("span", {}, word, h("span", { "aria-hidden": "true" }, at)));
};

const tellService = (about) => {
  const place = [
    `stage ${about.stage}`,
    about.homes.length > 1 ? `${about.homes.length} homes` : `home ${about.homes[0]}`,
  ].join(", ");
  show(document.getElementById("service"), h("b", {}, about.service), ` ${place}`);
  show(document.getElementById("where"), `${about.service}, stage ${about.stage}`);
  document.title = `${about.service} ${about.stage} – Tallygate`;
  tellCalls(about);
};

/** Tables that come at once are shown before the charts' script runs; while others are waited for, it may as well. */
const TABLES_MS = 100;

startSettings();
startCalls();
chartsAfter(Promise.race([startTop(), new Promise((resolve) => setTimeout(resolve, TABLES_MS))]));
startPipeline();
startCaller();
startOwners();
ask("service").then(tellService, () => {}); // the panels say themselves that nobody answers

const button = document.getElementById("pause");
button.addEventListener("click", () => {
  pause(!state().isPaused);
  show(button, state().isPaused ? "Go on" : "Pause");
});
onState(showState);
onSetting(showState);
showState();
