// A form of the bot: texts, menus, files, radio buttons and checkboxes, each below its label.
import { make, text } from "/page/dom.js";
import { readFile, selectMenu, selected } from "/page/fields.js";
import { markup } from "/page/markup.js";

const TEXT_INPUT = 4, TEXT = 10, FILE_UPLOAD = 19, RADIO_GROUP = 21, CHECKBOX_GROUP = 22, CHECKBOX = 23;
const PARAGRAPH = 2;

let opening = 0; // there is one dialog: an answer to an earlier form must not close or mark a later one

// `send` gets the values by custom_id; the form closes when they were taken, and else says why not.
export function openModal(modal, state, send) {
  const mine = ++opening;
  const dialog = document.getElementById("modal");
  text(dialog.querySelector("h2"), modal.title);
  const fields = new Map(), form = dialog.querySelector("form"), problem = dialog.querySelector(".problem");
  dialog.querySelector(".fields").replaceChildren(...modal.components.map((row) => field(row, fields, state)));
  text(problem, "");
  form.ariaBusy = "false";
  form.querySelector("[value=cancel]").onclick = () => dialog.close();
  form.onsubmit = async (event) => {
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    form.ariaBusy = "true";
    const answer = await send(await read(fields));
    if (mine !== opening) return;
    form.ariaBusy = "false";
    if (answer.error) text(problem, answer.error);
    else dialog.close();
  };
  dialog.showModal();
}

async function read(fields) {
  const values = {};
  for (const [name, value] of fields) {
    const given = await value();
    if (given !== null) values[name] = given;
  }
  return values;
}

function field(row, fields, state) {
  if (row.type === TEXT) return make("div", "text", markup.html(row.content, state));
  const component = row.component ?? row.components[0];
  const label = row.label ?? component.label ?? component.custom_id;
  if (component.type === RADIO_GROUP || component.type === CHECKBOX_GROUP) return group(component, label, row.description, fields);
  if (component.type === CHECKBOX) return checkbox(component, label, row.description, fields);
  const box = make("label");
  box.append(label, ...note(row.description));
  const [element, value] = single(component, state);
  element.name = component.custom_id;
  box.append(element);
  fields.set(component.custom_id, value);
  return box;
}

const note = (words) => (words ? [text(make("small"), words)] : []);

// One element, and how its value is read.
function single(component, state) {
  if (component.type === TEXT_INPUT) {
    const element = textField(component);
    return [element, () => element.value];
  }
  if (component.type === FILE_UPLOAD) {
    const element = Object.assign(make("input"), { type: "file", multiple: (component.max_values ?? 1) > 1 });
    element.required = component.required ?? true;
    return [element, () => Promise.all([...element.files].map(readFile))];
  }
  const element = selectMenu(component, state);
  return [element, () => selected(element)];
}

function textField(component) {
  const element = make(component.style === PARAGRAPH ? "textarea" : "input");
  if (component.style === PARAGRAPH) element.rows = 3;
  element.value = component.value ?? "";
  element.placeholder = component.placeholder ?? "";
  element.required = component.required ?? true;
  if (component.min_length) element.minLength = component.min_length;
  if (component.max_length) element.maxLength = component.max_length;
  return element;
}

// Radio buttons (one Tab stop, arrows choose) or checkboxes (each a Tab stop, Space ticks) with a common name.
function group(component, label, description, fields) {
  const isRadio = component.type === RADIO_GROUP;
  const box = make("fieldset", "choices");
  box.append(text(make("legend"), label), ...note(description));
  const boxes = component.options.map((option) => {
    const line = make("label"), input = make("input"), words = make("span");
    Object.assign(input, { type: isRadio ? "radio" : "checkbox", name: component.custom_id, value: option.value, checked: Boolean(option.default) });
    if (isRadio) input.required = component.required ?? true;
    words.append(option.label, ...note(option.description));
    line.append(input, words);
    box.append(line);
    return input;
  });
  const chosen = () => boxes.filter((one) => one.checked).map((one) => one.value);
  fields.set(component.custom_id, () => (isRadio ? chosen()[0] ?? null : chosen()));
  return box;
}

function checkbox(component, label, description, fields) {
  const line = make("label", "tick"), input = make("input"), words = make("span");
  Object.assign(input, { type: "checkbox", name: component.custom_id, checked: Boolean(component.default) });
  words.append(label, ...note(description));
  line.append(input, words);
  fields.set(component.custom_id, () => input.checked);
  return line;
}
