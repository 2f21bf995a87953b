// Ranges of time to choose from, as parameters of a question. They begin with a whole period, so that all tabs ask the
// same within it.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const hoursAgo = (hours) => (now) => Math.floor(now / HOUR_MS) * HOUR_MS - (hours - 1) * HOUR_MS;
const daysAgo = (days) => (now) => Math.floor(now / DAY_MS) * DAY_MS - (days - 1) * DAY_MS;
const monthsAgo = (months) => (now) => Date.UTC(new Date(now).getUTCFullYear(), new Date(now).getUTCMonth() - months);

/** `from` by granularity, so far as it is offered; the first is the one taken unless another is asked for. */
export const RANGES = {
  "6h": { label: "6 h", words: "the last 6 hours", from: { hour: hoursAgo(6) } },
  "24h": { label: "24 h", words: "the last 24 hours", from: { hour: hoursAgo(24) } },
  "7d": { label: "7 d", words: "the last 7 days", from: { hour: hoursAgo(168), day: daysAgo(7) } },
  month: { label: "Month", words: "this month", from: { day: monthsAgo(0) } },
  year: { label: "Year", words: "the last 12 months", from: { month: monthsAgo(11) } },
};
export const STEPS = { hour: "Hours", day: "Days" };

/** The granularity for a range: the one wished for where it is offered. */
export const stepOf = (range, wished) => (wished in RANGES[range].from ? wished : Object.keys(RANGES[range].from)[0]);

/** Parameters of GET /ops/usage. */
export const rangeQuery = (range, step) => ({
  from: new Date(RANGES[range].from[step](Date.now())).toISOString(),
  granularity: step,
  fill: "true",
});

/** How long a period is at least, ms: what a bar in a chart is wide. */
export const lengthOf = (row, next, granularity) =>
  next ? new Date(next.start) - new Date(row.start) : { hour: HOUR_MS, day: DAY_MS, month: 30 * DAY_MS }[granularity];
