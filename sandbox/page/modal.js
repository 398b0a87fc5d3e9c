// A form of the bot: text fields and menus.
import { selectMenu, selected } from "/page/fields.js";

const TEXT = 4, PARAGRAPH = 2;

export function openModal(modal, state, send) {
  const dialog = document.getElementById("modal");
  dialog.querySelector("h2").textContent = modal.title;
  const fields = new Map();
  dialog.querySelector(".fields").replaceChildren(...modal.components.map((row) => field(row, fields, state)));
  const form = dialog.querySelector("form");
  form.querySelector("[value=cancel]").onclick = () => dialog.close();
  form.onsubmit = () => send(Object.fromEntries([...fields].map(([name, read]) => [name, read()])));
  dialog.showModal();
}

function field(row, fields, state) {
  const component = row.component ?? row.components?.[0];
  if (!component) return Object.assign(document.createElement("p"), { textContent: row.content ?? "" });
  const label = document.createElement("label");
  label.append(row.label ?? component.label ?? component.custom_id);
  if (row.description) label.append(Object.assign(document.createElement("small"), { textContent: row.description }));
  const isText = component.type === TEXT;
  const element = isText ? textField(component) : selectMenu(component, state);
  element.name = component.custom_id;
  label.append(element);
  fields.set(component.custom_id, () => (isText ? element.value : selected(element)));
  return label;
}

function textField(component) {
  const element = document.createElement(component.style === PARAGRAPH ? "textarea" : "input");
  if (component.style === PARAGRAPH) element.rows = 3;
  element.value = component.value ?? "";
  element.placeholder = component.placeholder ?? "";
  element.required = component.required ?? true;
  if (component.min_length) element.minLength = component.min_length;
  if (component.max_length) element.maxLength = component.max_length;
  return element;
}
