// Questions to the server of this page, and the problems that come back.

/** Why there is no answer, in words. `again`: asking again may help. */
export class Problem extends Error {
  constructor(title, detail, status = 0, parameter = null) {
    super(detail);
    this.title = title;
    this.status = status;
    this.parameter = parameter;
    this.again = status === 0 || status >= 500;
  }
}

const GONE = new Problem("The dashboard does not answer", "Was it ended? `tallygate dashboard` starts it again.");

/** The document that answers `path` (below /api/). Rejects with a Problem, or an AbortError when `signal` says so. */
export const ask = async (path, query = {}, signal = undefined) => {
  let response;
  try {
    response = await fetch(`/api/${path}?${new URLSearchParams(query)}`, {
      signal,
      headers: { accept: "application/json" },
    });
  } catch (error) {
    throw error.name === "AbortError" ? error : GONE;
  }
  const document = await response.json().catch(() => ({}));
  if (response.ok) return document;
  throw new Problem(
    document.title || `Status ${response.status}`,
    document.detail || "",
    response.status,
    document.parameter ?? null,
  );
};

const MOST_PAGES = 12;

/** A time series with the rows of all its pages. */
export const askRows = async (query, signal) => {
  const whole = await ask("usage", query, signal);
  let cursor = whole.cursor;
  for (let page = 1; cursor && page < MOST_PAGES; page += 1) {
    const more = await ask("usage", { ...query, cursor }, signal);
    whole.rows.push(...more.rows);
    for (const name of Object.keys(whole.total)) whole.total[name] += more.total[name];
    cursor = more.cursor;
  }
  return whole;
};
