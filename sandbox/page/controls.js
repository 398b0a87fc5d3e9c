// Buttons and menus of a message.
import { make, press } from "/page/dom.js";
import { selectMenu, selected } from "/page/fields.js";
import { icon } from "/page/icons.js";

const BUTTON = 2, LINK = 5;

export function row(component, message, context) {
  const box = make("div", "row");
  for (const one of component.components ?? []) box.append(one.type === BUTTON ? button(one, message, context) : select(one, message, context));
  return box;
}

export function button(component, message, context) {
  const element = component.style === LINK ? link(component) : press("", "", () => click(element, component, message, context));
  element.className = `act s${component.style}`;
  const emoji = component.emoji?.name;
  const drawn = emoji && icon(emoji);
  if (drawn) element.innerHTML = drawn;
  if (drawn && component.label) element.firstChild.setAttribute("aria-hidden", "true");
  element.append([emoji && !drawn ? emoji : null, component.label].filter(Boolean).join(" "));
  element.disabled = Boolean(component.disabled);
  element.dataset.customId = component.custom_id ?? "";
  return element;
}

function link(component) {
  return Object.assign(make("a"), { href: component.url, target: "_blank", rel: "noreferrer" });
}

// A button that works is marked, not disabled: disabling would throw the focus of the keyboard away.
async function click(element, component, message, context) {
  if (element.ariaBusy === "true") return;
  element.ariaBusy = "true";
  await context.act({ action: "click", message: message.id, custom_id: component.custom_id });
  element.ariaBusy = "false";
}

function select(component, message, context) {
  const element = selectMenu(component, context.state);
  element.setAttribute("aria-label", component.placeholder ?? "Choose");
  element.disabled = Boolean(component.disabled);
  element.dataset.customId = component.custom_id;
  element.onchange = () => context.act({ action: "select", message: message.id, custom_id: component.custom_id, values: selected(element) });
  return element;
}
