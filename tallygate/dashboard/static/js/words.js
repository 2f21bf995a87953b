// Numbers as people read them: the same unit and the same rounding everywhere.

const whole = new Intl.NumberFormat("en");
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const KINDS = { ip: "Addresses", ref: "Referers", key: "Keys", owner: "Owners" };
export const ONE = { ip: "Address", ref: "Referer", key: "Key", owner: "Owner" };

/** 12,345 */
export const count = (number) => whole.format(number);

/** `1 key`, `3 keys` */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** 10.8 %, and < 0.1 % rather than 0 for what is not nothing. */
export const percent = (part, of) => {
  if (!of || !part) return "0 %";
  const share = (100 * part) / of;
  if (share < 0.1) return "< 0.1 %";
  if (share > 99.9 && share < 100) return "> 99.9 %";
  return `${share < 10 ? tenths.format(share) : whole.format(Math.round(share))} %`;
};

/** 0.4 s, 12 s, 3 min, 2 h 5 min, 4 d */
export const duration = (ms) => {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${tenths.format(Math.max(0, seconds))} s`;
  if (seconds < 89.5) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 && hours < 10 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.round(hours / 24)} d`;
};

/** 3.2/s */
export const rate = (perSecond) => `${perSecond < 100 ? tenths.format(perSecond) : count(Math.round(perSecond))}/s`;
