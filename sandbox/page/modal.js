// A modal of the bot: text fields, selects, radio and check boxes, as far as the bot uses them.
const TEXT = 4, PARAGRAPH = 2;
// Menus of people, roles and channels: Discord's clients know what is in them.
const ENTITIES = { 5: "people", 6: "roles", 8: "channels" };

export function openModal(modal, state, send) {
  const dialog = document.getElementById("modal");
  dialog.querySelector("h2").textContent = modal.title;
  const fields = new Map();
  dialog.querySelector(".fields").replaceChildren(...modal.components.map((row) => field(row, fields, state)).filter(Boolean));
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
  const element = component.type === TEXT ? textField(component) : selectField(component, state);
  element.name = component.custom_id;
  label.append(element);
  fields.set(component.custom_id, () => (element.tagName === "SELECT" ? chosen(element) : element.value));
  return label;
}

function textField(component) {
  const element = document.createElement(component.style === PARAGRAPH ? "textarea" : "input");
  if (component.style === PARAGRAPH) element.rows = 3;
  element.value = component.value ?? "";
  element.placeholder = component.placeholder ?? "";
  element.required = component.required ?? true;
  if (component.max_length) element.maxLength = component.max_length;
  return element;
}

const chosen = (element) => [...element.selectedOptions].map((one) => one.value).filter(Boolean);

function selectField(component, state) {
  const element = document.createElement("select");
  const options = component.options ?? entities(component, state);
  const isOptional = (component.min_values ?? 1) === 0;
  element.multiple = (component.max_values ?? 1) > 1;
  if (!element.multiple && (isOptional || !options.some((one) => one.default))) element.append(new Option(component.placeholder ?? "–", ""));
  for (const option of options) element.append(new Option(option.label, option.value, false, option.default));
  return element;
}

function entities(component, state) {
  const shown = component.type === 8 ? state.channels.filter((one) => one.kind === "text") : state[ENTITIES[component.type]] ?? [];
  const before = new Set((component.default_values ?? []).map((one) => one.id));
  return shown.map((one) => ({ label: one.name, value: one.id, default: before.has(one.id) }));
}
