// Elements in one line each.
export const make = (tag, className, html) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (html !== undefined) element.innerHTML = html;
  return element;
};
export const text = (element, words) => Object.assign(element, { textContent: words });

// A real button that does something: reachable by Tab, pressed by Enter and Space.
export function press(className, label, run) {
  const button = text(make("button", className), label);
  button.type = "button";
  button.onclick = run;
  return button;
}

// Arrow keys, Home and End walk through `items`; what is reached gets the focus. True if the key was one of them.
const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
export function walkWithArrows(event, items, keys = Object.keys(STEPS)) {
  const place = items.indexOf(document.activeElement);
  let next;
  if (keys.includes(event.key)) next = (place + STEPS[event.key] + items.length) % items.length;
  else if (event.key === "Home") next = 0;
  else if (event.key === "End") next = items.length - 1;
  else return false;
  event.preventDefault();
  items[next]?.focus();
  return true;
}
