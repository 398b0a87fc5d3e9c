// Fields to fill in, for the options of commands and for forms: numbers, choices, files, people, channels and roles.
export const ATTACHMENT = 11, BOOLEAN = 5, INTEGER = 4, NUMBER = 10;
const OPTION_ENTITIES = { 6: ["people"], 7: ["channels"], 8: ["roles"], 9: ["people", "roles"] };
const SELECT_ENTITIES = { 5: ["people"], 6: ["roles"], 7: ["people", "roles"], 8: ["channels"] };
const MARKS = { people: "@", channels: "#", roles: "@" };

const entities = (kinds, state) => kinds.flatMap((kind) => state[kind].filter((one) => one.kind !== "dm").map((one) => ({ label: MARKS[kind] + one.name, value: one.id })));

// The field of one option of a slash command.
export function optionField(option, state) {
  const kinds = OPTION_ENTITIES[option.type];
  if (kinds) return choice(entities(kinds, state));
  if (option.type === BOOLEAN) return choice([{ label: "yes", value: "true" }, { label: "no", value: "false" }]);
  if (option.choices?.length) return choice(option.choices.map((one) => ({ label: one.name, value: JSON.stringify(one.value) })));
  const field = document.createElement("input");
  if (option.type === ATTACHMENT) Object.assign(field, { type: "file", accept: "image/*" });
  else if (option.type === INTEGER || option.type === NUMBER) {
    Object.assign(field, { type: "number", step: option.type === INTEGER ? "1" : "any" });
    if (option.min_value !== undefined) field.min = option.min_value;
    if (option.max_value !== undefined) field.max = option.max_value;
  }
  return field;
}

function choice(options) {
  const select = document.createElement("select");
  select.append(...options.map((one) => new Option(one.label, one.value)));
  return select;
}

// What was put into an option's field; null for nothing.
export async function optionValue(option, field) {
  if (option.type === ATTACHMENT) return field.files[0] ? readFile(field.files[0]) : null;
  if (field.value === "") return null;
  if (OPTION_ENTITIES[option.type]) return field.value;
  if (field.tagName === "SELECT") return JSON.parse(field.value);
  return option.type === INTEGER || option.type === NUMBER ? Number(field.value) : field.value;
}

// "What it is (1 to 150)".
export function optionHint(option) {
  const { min_value: low, max_value: high } = option;
  return option.description + (low !== undefined && high !== undefined ? ` (${low} to ${high})` : "");
}

// A select menu of a message or a form; what is already chosen is marked.
export function selectMenu(component, state) {
  const kinds = SELECT_ENTITIES[component.type];
  const chosen = (component.default_values ?? []).map((one) => one.id);
  const options = kinds ? entities(kinds, state).map((one) => ({ ...one, default: chosen.includes(one.value) })) : component.options ?? [];
  const select = document.createElement("select");
  select.multiple = (component.max_values ?? 1) > 1;
  if (!select.multiple && !options.some((one) => one.default)) select.append(new Option(component.placeholder ?? "–", ""));
  select.append(...options.map((one) => new Option(one.label, one.value, one.default, one.default)));
  if (!select.multiple && kinds && chosen.length && !(component.min_values ?? 1)) select.prepend(new Option("–", ""));
  return select;
}

export const selected = (select) => [...select.selectedOptions].map((one) => one.value).filter(Boolean);

export function readFile(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name, data: reader.result.split(",")[1] });
    reader.readAsDataURL(file);
  });
}
