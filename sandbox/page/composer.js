// The line at the bottom: messages, and slash commands with their options and suggestions.
import { optionField, optionHint, optionValue } from "/page/fields.js";

const SUBCOMMAND = 1, GROUP = 2, STRING = 3;
const PLACEHOLDER = "Type / for commands";

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
    this.chip.onclick = () => this.reset();
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

  show(choices) {
    this.choices = choices;
    this.selected = 0;
    this.picker.hidden = !choices.length;
    this.picker.replaceChildren(...choices.map((choice, number) => {
      const item = document.createElement("li");
      item.setAttribute("aria-selected", String(number === 0));
      const note = Object.assign(document.createElement("small"), { textContent: choice.note ?? "" });
      item.append(choice.label, note);
      item.onmousedown = (event) => { event.preventDefault(); choice.pick(); };
      return item;
    }));
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
    if (option.autocomplete) ["input", "focus"].forEach((when) => field.addEventListener(when, () => this.complete(field, option)));
    return field;
  }

  async complete(field, option) {
    const options = this.main ? { [this.main.name]: this.input.value || "…" } : {};
    const answer = await this.act({ action: "autocomplete", name: this.command.path, focused: option.name, typed: field.value, options });
    if (document.activeElement !== field) return;
    const choices = (answer.choices ?? []).filter((one) => String(one.value) !== field.value);
    this.show(choices.map((one) => ({ label: one.name, pick: () => { field.value = one.value; this.show([]); } })));
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
    if (this.choices?.length && ["ArrowDown", "ArrowUp", "Tab", "Enter"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Tab" || event.key === "Enter") return this.choices[this.selected].pick();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.selected = (this.selected + step + this.choices.length) % this.choices.length;
      [...this.picker.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === this.selected)));
      this.picker.children[this.selected].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape" || (event.key === "Backspace" && event.target === this.input && (this.command || this.say) && !this.input.value)) this.reset();
  }

  async submit() {
    if (this.choices?.length && !this.command) return this.choices[this.selected].pick();
    const text = this.input.value;
    if (!this.command) {
      if (!text.trim()) return;
      const action = this.say?.action ?? { action: "say" };
      this.reset();
      return this.act({ ...action, content: text });
    }
    if (this.main && !text.trim()) return this.hint(`${this.main.name} is missing`, true);
    const options = this.main ? { [this.main.name]: text } : {};
    for (const { option, field } of this.fields.values()) {
      const value = await optionValue(option, field);
      if (value !== null) options[option.name] = value;
    }
    const name = this.command.path;
    this.reset();
    return this.act({ action: "slash", name, options });
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
