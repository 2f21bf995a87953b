// Times in the zone that was chosen. What is counted by the hour, day or month is so in UTC: whoever reads local times
// is told where such a period begins.

import { remembered } from "./settings.js";

const isLocal = () => remembered("zone", "utc") === "local";

/** `UTC`, or what the browser calls its zone. */
export const zoneName = () => (isLocal() ? Intl.DateTimeFormat().resolvedOptions().timeZone : "UTC");

const format = (options) =>
  new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...options, timeZone: isLocal() ? undefined : "UTC" });

/** 21 Nov 2026, 15:03:05 */
export const moment = (time) =>
  format({
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(new Date(time));

/** 15:03:05 */
export const clock = (time) => format({ hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(time));

/** The beginning of a period: `21 Nov, 15:00`, `21 Nov`, `Nov 2026`; with the hour where a local day begins at another. */
export const period = (start, granularity) => {
  if (granularity === "hour" || (isLocal() && new Date(start).getTimezoneOffset() !== 0)) {
    return format({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(new Date(start));
  }
  return granularity === "day"
    ? format({ day: "numeric", month: "short", year: "numeric" }).format(new Date(start))
    : format({ month: "short", year: "numeric" }).format(new Date(start));
};

/** What a chart's axis takes, which knows no zones: 2026-11-21T15:00:00 */
export const onAxis = (time) => {
  const date = new Date(time);
  const shift = isLocal() ? date.getTimezoneOffset() * 60_000 : 0;
  return new Date(date.getTime() - shift).toISOString().slice(0, 19);
};

/** `in 3 h`, `2 s ago` */
export const fromNow = (time, say) => {
  const ms = new Date(time).getTime() - Date.now();
  return ms >= 0 ? `in ${say(ms)}` : `${say(-ms)} ago`;
};
