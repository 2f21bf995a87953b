// Keeps panels up to date: every few seconds while somebody can see them, later and later while it fails.

const SECONDS = 5;
const MOST_SECONDS = 60;

const all = new Set();
const watchers = [];
let isPaused = false;

const rests = () => isPaused || document.hidden;

const tell = () => {
  for (const watch of watchers) watch();
};

/** Whether it is paused, is failing, and when something was read last (ms); null before. */
export const state = () => ({
  isPaused,
  isFailing: [...all].some((one) => one.failures > 0),
  readAt: [...all].reduce((latest, one) => Math.max(latest ?? 0, one.readAt ?? 0) || null, null),
});

/** Calls `watch` whenever that changes. */
export const onState = (watch) => watchers.push(watch);

export const pause = (wanted) => {
  isPaused = wanted;
  for (const one of all) one.schedule(rests() ? null : 0);
  tell();
};

document.addEventListener("visibilitychange", () => {
  for (const one of all) one.schedule(rests() ? null : 0);
});

/** Something that is read again and again. `read(signal)` gives what `show` is told, and `fail` is told of a Problem and
 * in how many seconds it is tried again (null: not before something changes). */
export class Refreshed {
  constructor({ read, show, fail, seconds = SECONDS }) {
    Object.assign(this, {
      read,
      show,
      fail,
      seconds,
      failures: 0,
      readAt: null,
      timer: null,
      under: null,
      isIdle: true,
    });
    all.add(this);
  }

  /** Reads now, whatever is under way: what is asked has changed, or somebody cannot wait. */
  now() {
    this.under?.abort();
    this.under = null;
    this.failures = 0;
    return this.turn();
  }

  /** Nothing more is read until `now`. */
  stop() {
    this.under?.abort();
    this.under = null;
    this.failures = 0;
    this.isIdle = true;
    this.schedule(null);
    tell();
  }

  schedule(seconds) {
    clearTimeout(this.timer);
    this.timer = null;
    if (seconds === null || this.isIdle) return;
    if (!this.under) this.timer = setTimeout(() => this.turn(), seconds * 1000);
  }

  async turn() {
    clearTimeout(this.timer);
    this.isIdle = false;
    const under = new AbortController();
    this.under = under;
    let wait = this.seconds;
    try {
      const found = await this.read(under.signal);
      if (this.under !== under) return;
      this.failures = 0;
      this.readAt = Date.now();
      this.show(found);
    } catch (error) {
      if (this.under !== under || error.name === "AbortError") return;
      if (error.again === undefined) throw error;
      this.isIdle = !error.again;
      this.failures += error.again ? 1 : 0;
      wait = error.again ? Math.min(this.seconds * 2 ** this.failures, MOST_SECONDS) : null;
      this.fail(error, wait);
    } finally {
      if (this.under === under) {
        this.under = null;
        this.schedule(rests() ? null : wait);
        tell();
      }
    }
  }
}
