// The line at the bottom: messages, and slash commands with their options and suggestions.
const ATTACHMENT = 11, SUBCOMMAND = 1, GROUP = 2, INTEGER = 4, BOOLEAN = 5, NUMBER = 10;

export class Composer {
  constructor(parts) {
    Object.assign(this, parts);
    this.command = null; // {path, options} of the chosen command
    this.fields = new Map();
    this.selected = 0;
    this.input.addEventListener("input", () => this.suggest());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.submit(); });
  }

  // Every command and subcommand as one flat list: "quota set" and so on.
  entries() {
    const flat = [];
    const walk = (node, path, root) => {
      const inner = (node.options ?? []).filter((one) => one.type === SUBCOMMAND || one.type === GROUP);
      if (inner.length) inner.forEach((one) => walk(one, [...path, one.name], root));
      else flat.push({ path: path.join(" "), description: node.description, options: node.options ?? [] });
    };
    this.commands().forEach((command) => walk(command, [command.name], command));
    return flat.sort((one, other) => (other.path === "imagine") - (one.path === "imagine") || one.path.localeCompare(other.path));
  }

  suggest() {
    const text = this.input.value;
    if (this.command || !text.startsWith("/")) return this.show([]);
    const wanted = text.slice(1).toLowerCase();
    const typed = this.entries().find((one) => wanted.startsWith(one.path + " "));
    if (typed) return this.choose(typed, text.slice(typed.path.length + 2));
    this.show(this.entries().filter((one) => one.path.startsWith(wanted)).map((one) => ({ label: "/" + one.path, note: one.description, pick: () => this.choose(one, "") })));
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
    this.show([]);
    this.command = command;
    this.chip.hidden = false;
    this.chip.textContent = "/" + command.path;
    this.main = command.options.find((one) => one.required && one.type === 3) ?? null;
    this.input.value = this.main ? rest : "";
    this.input.placeholder = this.main ? this.main.description : "Press Enter to send";
    this.fields.clear();
    this.options.replaceChildren();
    command.options.filter((one) => one.required && one !== this.main).forEach((one) => this.addField(one));
    this.drawAdders();
    this.input.focus();
  }

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
    const field = this.makeField(option);
    field.dataset.option = option.name;
    label.append(option.name, field);
    label.title = option.description;
    this.options.prepend(label);
    this.fields.set(option.name, { option, field });
    return field;
  }

  makeField(option) {
    if (option.choices?.length || option.type === BOOLEAN) {
      const select = document.createElement("select");
      const choices = option.choices ?? [{ name: "yes", value: true }, { name: "no", value: false }];
      choices.forEach((one) => select.append(new Option(one.name, JSON.stringify(one.value))));
      return select;
    }
    const field = document.createElement("input");
    if (option.type === ATTACHMENT) field.type = "file";
    else if (option.type === INTEGER || option.type === NUMBER) {
      field.type = "number";
      field.step = option.type === INTEGER ? "1" : "any";
      if (option.min_value !== undefined) field.min = option.min_value;
      if (option.max_value !== undefined) field.max = option.max_value;
    }
    if (option.autocomplete) this.complete(field, option);
    return field;
  }

  complete(field, option) {
    const list = document.createElement("datalist");
    list.id = "list-" + option.name;
    field.setAttribute("list", list.id);
    field.after(list);
    this.form.append(list);
    const ask = async () => {
      const answer = await this.act({ action: "autocomplete", name: this.command.path, focused: option.name, typed: field.value, options: this.main ? { [this.main.name]: this.input.value || "…" } : {} });
      list.replaceChildren(...(answer.choices ?? []).map((one) => new Option(one.name, one.value)));
    };
    field.addEventListener("input", ask);
    field.addEventListener("focus", ask);
  }

  key(event) {
    if (this.choices?.length && ["ArrowDown", "ArrowUp", "Tab", "Enter"].includes(event.key)) {
      event.preventDefault();
      if (event.key === "Tab" || event.key === "Enter") return this.choices[this.selected].pick();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.selected = (this.selected + step + this.choices.length) % this.choices.length;
      [...this.picker.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === this.selected)));
      this.picker.children[this.selected].scrollIntoView({ block: "nearest" });
    } else if (event.key === "Escape" || (event.key === "Backspace" && this.command && !this.input.value)) this.reset();
  }

  async submit() {
    if (this.choices?.length) return this.choices[this.selected].pick();
    const text = this.input.value;
    if (!this.command) {
      if (!text.trim()) return;
      this.input.value = "";
      return this.act({ action: "say", content: text });
    }
    if (this.main && !text.trim()) return this.hint(`${this.main.name} is missing`, true);
    const options = this.main ? { [this.main.name]: text } : {};
    for (const { option, field } of this.fields.values()) {
      const value = await this.value(option, field);
      if (value !== null) options[option.name] = value;
    }
    const name = this.command.path;
    this.reset();
    return this.act({ action: "slash", name, options });
  }

  async value(option, field) {
    if (option.type === ATTACHMENT) return field.files[0] ? readFile(field.files[0]) : null;
    if (field.tagName === "SELECT") return JSON.parse(field.value);
    if (field.value === "") return null;
    return option.type === INTEGER || option.type === NUMBER ? Number(field.value) : field.value;
  }

  reset() {
    this.command = this.main = null;
    this.fields.clear();
    this.options.replaceChildren();
    this.options.hidden = this.chip.hidden = true;
    this.input.value = "";
    this.input.placeholder = "Type / for commands";
    this.show([]);
  }
}

function readFile(file) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ name: file.name, data: reader.result.split(",")[1] });
    reader.readAsDataURL(file);
  });
}
