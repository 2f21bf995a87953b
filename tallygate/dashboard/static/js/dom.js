// Elements from values. Identifiers are strangers' words: whatever is given here becomes text or an attribute, never
// markup.

const SVG = "http://www.w3.org/2000/svg";

const filled = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
};

/** An HTML element. Attributes that are null or false are left out; children may be nested in arrays. */
export const h = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** The same in SVG. */
export const s = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);

/** The part of a panel that its markup names so. */
export const part = (panel, name) => panel.querySelector(`[data-part="${name}"]`);

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null);

const areAlike = (live, made) =>
  live.nodeType === made.nodeType && live.nodeName === made.nodeName && keyOf(live) === keyOf(made);

const become = (live, made) => {
  if (live.nodeType !== Node.ELEMENT_NODE) {
    if (live.data !== made.data) live.data = made.data;
    return;
  }
  for (const { name } of [...live.attributes]) if (!made.hasAttribute(name)) live.removeAttribute(name);
  for (const { name, value } of made.attributes) if (live.getAttribute(name) !== value) live.setAttribute(name, value);
  fill(live, [...made.childNodes]);
};

const fill = (parent, wanted) => {
  const keyed = new Map(
    [...parent.childNodes].filter((node) => keyOf(node) !== null).map((node) => [keyOf(node), node]),
  );
  let at = parent.firstChild;
  for (const made of wanted) {
    const live = keyOf(made) === null ? at : keyed.get(keyOf(made));
    if (!live || !areAlike(live, made)) {
      parent.insertBefore(made, at);
      continue;
    }
    if (live === at) at = at.nextSibling;
    else parent.insertBefore(live, at);
    if (!live.hasAttribute?.("data-own")) become(live, made); // what has `data-own` looks after itself
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
};

/** Makes these the children of `parent`, changing only what differs: what stays keeps focus, selection and scrolling.
 * Elements with the same `data-key` are the same, wherever they move. */
export const show = (parent, ...children) => {
  const focused = document.activeElement;
  const holder = document.createElement("div");
  holder.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  fill(parent, [...holder.childNodes]);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
};
