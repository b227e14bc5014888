// Elements, and numbers between limits.

/** An element with attributes and children; `svg` makes it one of a drawing. */
function make(tag, attributes = {}, children = [], svg = false) {
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...[].concat(children));
  return element;
}
const draw = (tag, attributes, children) => make(tag, attributes, children, true);
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
