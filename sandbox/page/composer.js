// The line at the bottom: messages, and slash commands with their options and suggestions.
import { optionField, optionHint, optionValue } from "/page/fields.js";

const SUBCOMMAND = 1, GROUP = 2, STRING = 3;
const PLACEHOLDER = "Type / for commands";

// What a screen reader has to know of a field with choices below it.
const combobox = (field) => {
  const role = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "picker" };
  Object.entries(role).forEach(([name, value]) => field.setAttribute(name, value));
};

export class Composer {
  // parts: input, form, picker, options, chip (elements); act, hint, commands, state (functions)
  constructor(parts) {
    Object.assign(this, parts);
    this.command = null; // {path, options} of the chosen command
    this.say = null; // {label, action} while a reply or a correction is written
    this.fields = new Map();
    this.selected = 0;
    this.input.addEventListener("input", () => this.suggest());
    this.form.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
    this.chip.onclick = () => { this.reset(); this.input.focus(); };
    combobox(this.input);
  }

  // ---- choosing a command ----

  // Every command and subcommand as one flat list: "quota set" and so on.
  entries() {
    const flat = [];
    const walk = (node, path) => {
      const inner = (node.options ?? []).filter((one) => one.type === SUBCOMMAND || one.type === GROUP);
      if (inner.length) inner.forEach((one) => walk(one, [...path, one.name]));
      else flat.push({ path: path.join(" "), description: node.description, options: node.options ?? [] });
    };
    this.commands().forEach((command) => walk(command, [command.name]));
    return flat.sort((one, other) => (other.path === "imagine") - (one.path === "imagine") || one.path.localeCompare(other.path));
  }

  suggest() {
    const text = this.input.value;
    if (this.command || this.say || !text.startsWith("/")) return this.show([]);
    const wanted = text.slice(1).toLowerCase();
    const typed = this.entries().find((one) => wanted.startsWith(one.path + " "));
    if (typed) return this.choose(typed, text.slice(typed.path.length + 2));
    const found = this.entries().filter((one) => one.path.startsWith(wanted));
    this.show(found.map((one) => ({ label: "/" + one.path, note: one.description, pick: () => this.choose(one, "") })));
  }

  // The choices below the field that is typed in (`owner`), which keeps the focus: a screen reader hears the chosen one.
  show(choices, owner = this.input) {
    this.choices = choices;
    this.owner?.removeAttribute("aria-activedescendant");
    this.owner?.setAttribute("aria-expanded", "false");
    this.owner = owner;
    this.picker.hidden = !choices.length;
    this.picker.replaceChildren(...choices.map((choice, number) => {
      const item = document.createElement("li");
      Object.assign(item, { role: "option", id: `choice-${number}` });
      const note = Object.assign(document.createElement("small"), { textContent: choice.note ?? "" });
      item.append(choice.label, note);
      item.onmousedown = (event) => { event.preventDefault(); choice.pick(); };
      return item;
    }));
    if (choices.length) this.select(0);
  }

  select(number) {
    this.selected = number;
    [...this.picker.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === number)));
    this.owner.setAttribute("aria-expanded", "true");
    this.owner.setAttribute("aria-activedescendant", `choice-${number}`);
    this.picker.children[number].scrollIntoView({ block: "nearest" });
  }

  choose(command, rest) {
    this.reset();
    this.command = command;
    this.label("/" + command.path);
    this.main = command.options.find((one) => one.required && one.type === STRING && !one.choices && !one.autocomplete) ?? null;
    this.input.value = this.main ? rest : "";
    this.input.placeholder = this.main ? this.main.description : "Press Enter to send";
    command.options.filter((one) => one.required && one !== this.main).forEach((one) => this.addField(one));
    this.drawAdders();
    this.input.focus();
  }

  label(text) {
    this.chip.hidden = false;
    this.chip.textContent = text;
    this.chip.title = "Never mind";
    this.chip.setAttribute("aria-label", `${text}: never mind`);
  }

  // ---- its options ----

  drawAdders() {
    this.options.querySelectorAll("button").forEach((one) => one.remove());
    for (const option of this.command.options) {
      if (option === this.main || this.fields.has(option.name)) continue;
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: "+ " + option.name, title: option.description });
      button.onclick = () => { this.addField(option).focus(); this.drawAdders(); };
      this.options.append(button);
    }
    this.options.hidden = !this.options.children.length;
  }

  addField(option) {
    const label = document.createElement("label");
    const field = optionField(option, this.state());
    field.dataset.option = option.name;
    label.append(option.name, field);
    this.options.insertBefore(label, this.options.querySelector("button"));
    this.fields.set(option.name, { option, field });
    field.addEventListener("focus", () => { this.hint(optionHint(option)); this.show([]); });
    if (option.autocomplete) combobox(field);
    if (option.autocomplete) ["input", "focus"].forEach((when) => field.addEventListener(when, () => this.complete(field, option)));
    return field;
  }

  async complete(field, option) {
    const options = this.main ? { [this.main.name]: this.input.value || "…" } : {};
    const answer = await this.act({ action: "autocomplete", name: this.command.path, focused: option.name, typed: field.value, options });
    if (document.activeElement !== field) return;
    const choices = (answer.choices ?? []).filter((one) => String(one.value) !== field.value);
    this.show(choices.map((one) => ({ label: one.name, pick: () => { field.value = one.value; this.show([]); } })), field);
  }

  // ---- replying, correcting ----

  compose(label, action, text = "") {
    this.reset();
    this.say = { action };
    this.label(label);
    this.input.value = text;
    this.input.placeholder = "Write a message";
    this.input.focus();
  }

  // ---- keys, sending ----

  key(event) {
    const isOpen = this.choices?.length > 0;
    if (isOpen && ["ArrowDown", "ArrowUp", "Tab", "Enter"].includes(event.key)) {
      if (event.shiftKey) return; // back to where one was, as everywhere
      event.preventDefault();
      if (event.key === "Tab" || event.key === "Enter") return this.choices[this.selected].pick();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.select((this.selected + step + this.choices.length) % this.choices.length);
    } else if (event.key === "Escape" && isOpen) this.show([]);
    else if (event.key === "Escape" || (event.key === "Backspace" && event.target === this.input && (this.command || this.say) && !this.input.value)) {
      this.reset();
      this.input.focus();
    }
  }

  async submit() {
    if (this.choices?.length && !this.command) return this.choices[this.selected].pick();
    const text = this.input.value;
    if (!this.command && !text.trim()) return;
    if (this.main && !text.trim()) return this.hint(`${this.main.name} is missing`, true);
    const action = this.command ? await this.filledIn(text) : { ...(this.say?.action ?? { action: "say" }), content: text };
    const typed = this.typed();
    this.reset();
    const answer = await this.act(action);
    // What was not taken comes back to be corrected or sent again, unless something else is being written by now.
    if (answer.error && !this.command && !this.say && !this.input.value) {
      this.restore(typed);
      this.hint(answer.error, true);
    }
    return answer;
  }

  async filledIn(text) {
    const options = this.main ? { [this.main.name]: text } : {};
    for (const { option, field } of this.fields.values()) {
      const value = await optionValue(option, field);
      if (value !== null) options[option.name] = value;
    }
    return { action: "slash", name: this.command.path, options };
  }

  typed() {
    const { command, say, input, chip } = this;
    return { command, say, text: input.value, label: chip.textContent, fields: [...this.fields.values()] };
  }

  restore({ command, say, text, label, fields }) {
    if (command) {
      this.choose(command, "");
      // The fields themselves, with everything that is in them: a chosen file can't be put in again.
      for (const { option, field } of fields) (this.fields.get(option.name)?.field ?? this.addField(option)).replaceWith(field);
      for (const { option, field } of fields) this.fields.set(option.name, { option, field });
      this.drawAdders();
    } else if (say) this.compose(label, say.action);
    this.input.value = text;
  }

  reset() {
    this.command = this.main = this.say = null;
    this.fields.clear();
    this.options.replaceChildren();
    this.options.hidden = this.chip.hidden = true;
    this.input.value = "";
    this.input.placeholder = PLACEHOLDER;
    this.hint("");
    this.show([]);
  }
}
