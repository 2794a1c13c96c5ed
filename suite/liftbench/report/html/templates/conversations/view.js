// What a list looks like: its controls and rows, and the row that is open.

const FIELDS = 8; // Fields of the metadata that have a filter of their own; one more filter serves all others.

class View {
  constructor(list) {
    this.list = list;
    list.view = this;
    this.id = (name) => `${list.name}-${name}`;
    this.items = new Map(); // row → its element
    this.rows = make("ol", { class: "talk-rows" });
    this.status = make("output", { class: "talk-status", tabindex: "-1" });
    this.said = make("span", { class: "unseen", role: "status" });
    this.columns = make("p", { class: "talk-columns" });
    this.before = make("button", { type: "button", class: "talk-more", onclick: () => this.showBefore() });
    this.more = make("button", { type: "button", class: "talk-more", onclick: () => this.showMore() });
    list.box.append(...(list.data.controls ? [this.makeControls()] : []), this.status, this.said, this.columns, this.before, this.rows, this.more);
    this.update();
  }

  // ------------------------------------------------------------------------------------------------------ controls

  makeSelect(name, label, options) {
    // Options are [value, words], or [words, options] for a group of them.
    const choice = ([value, words]) => (Array.isArray(words)
      ? make("optgroup", { label: value }, words.map(choice))
      : make("option", { value }, words));
    const select = make("select", { id: this.id(name), "data-state": name }, options.map(choice));
    return make("label", {}, make("span", {}, label), select);
  }

  makeControls() {
    const { list } = this;
    const { metrics, systems } = list.data;
    const search = make("input", { type: "search", id: this.id("search"), "data-state": "search", placeholder: "words, id, company …" });
    const labels = metrics.map(({ name, label }) => [name, label]);
    const sides = [["gain", "gain"], ["candidate", "candidate"], ["baseline", systems[0].role]];
    const side = (name, label) => (list.several ? this.makeSelect(name, label, sides) : null);
    const first = make("div", { class: "talk-bar" },
      make("label", { class: "talk-find" }, make("span", {}, "Search"), search),
      systems.length > 2 ? this.makeSelect("about", "Look at", systems.slice(1).map(({ role, name }, place) => [String(place + 1), `${role}: ${name}`.slice(0, 80)])) : null,
      this.makeSelect("sort", "Sort by", [...labels, ["place", "order of the data"]]),
      side("by", "of"),
      this.makeSelect("order", "from", [["asc", "lowest"], ["desc", "highest"]]));
    const changes = [["", "all"], ["better", "better"], ["worse", "worse"], ["same", "the same"], ["unknown", "unknown"]];
    const number = (name, label) => make("label", {}, make("span", {}, label),
      make("input", { type: "number", step: "any", id: this.id(name), "data-state": name }));
    this.problems = this.makeSelect("problem", "What is wrong", []);
    this.guards = this.makeSelect("guard", "Guard", []);
    const second = make("div", { class: "talk-bar" },
      this.problems, this.guards,
      list.several ? this.makeSelect("change", `${metrics[0]?.label ?? "Score"} is`, changes) : null,
      ...this.makeFields(),
      this.makeSelect("metric", "Only where", [["", "any score"], ...labels]),
      side("of", "of"), number("min", "is at least"), number("max", "and at most"));
    this.reset = make("button", { type: "button", onclick: () => this.clear() }, "Clear filters");
    this.details = make("details", { class: "talk-filters" }, make("summary", {}, "Filters"), second);
    this.keys = make("input", { type: "checkbox", checked: true });
    const key = (name) => make("kbd", {}, name);
    const help = make("p", { class: "talk-keys" }, make("label", {}, this.keys, " Keys: "),
      key("j"), " next, ", key("k"), " previous, ", key("Enter"), " open, ", key("/"), " search, ", key("Esc"), " close");
    const controls = make("div", { class: "talk-controls", role: "search", "aria-label": this.list.name === "conversations" ? "Conversations" : `Conversations, ${this.list.name}` },
      first, this.details, help);
    controls.addEventListener("input", (event) => this.change(event.target));
    return controls;
  }

  makeFields() {
    const { list } = this;
    const { fields, slicing } = list.data;
    this.fieldNames = [];
    this.otherFields = []; // Those without a control of their own.
    const names = [...new Set([...slicing.map(({ field }) => field), ...fields])];
    const own = names.map((field) => {
      const place = fields.indexOf(field);
      const counts = new Map();
      const add = (label) => counts.set(label, (counts.get(label) ?? 0) + 1);
      const sliced = slicing.find((one) => one.field === field);
      if (sliced) for (const row of list.rows) add(sliced.labels[sliced.of[row.place]]);
      const labels = new Set(sliced?.labels);
      // A value that is the name of a slice is counted there.
      if (place >= 0) for (const row of list.rows) if (row.metadata[place] !== null && !labels.has(row.metadata[place])) add(row.metadata[place]);
      if (counts.size < 2) return null;
      if (counts.size > 100 || this.fieldNames.length >= FIELDS) {
        this.otherFields.push([field, counts]);
        return null;
      }
      this.fieldNames.push(field);
      const label = this.makeSelect(`field:${field}`, field.slice(0, 40), [["", "any"], ...[...counts].map(([value, times]) => [value, `${value.slice(0, 60)} (${times})`])]);
      label.lastChild.id = this.id(`field-${this.fieldNames.length}`);
      label.firstChild.dir = "auto";
      return label;
    }).filter(Boolean);
    return this.otherFields.length ? [...own, ...this.makeOtherFields()] : own;
  }

  // One control for all other fields, and one for a value of theirs.
  makeOtherFields() {
    const values = make("datalist", { id: this.id("values") });
    this.value = make("input", { id: this.id("value"), list: values.id, autocomplete: "off", disabled: true });
    const chosen = make("select", { id: this.id("other") }, make("option", { value: "" }, "none"),
      this.otherFields.map(([field], place) => make("option", { value: String(place) }, field.slice(0, 60))));
    this.other = chosen;
    this.fillValues = () => {
      const [field, counts] = this.otherFields[chosen.value || -1] ?? [];
      this.value.disabled = !counts;
      this.value.value = this.list.state.fields[field] ?? "";
      values.replaceChildren(...[...counts ?? []].slice(0, 500).map(([value, times]) => make("option", { value }, `${value.slice(0, 60)} (${times})`)));
    };
    chosen.addEventListener("input", this.fillValues);
    const take = (sure) => {
      const [field, counts] = this.otherFields[chosen.value];
      const value = this.value.value;
      // Half a value is no value yet.
      if (value && !sure && !counts.has(value)) return;
      if (value) this.list.state.fields[field] = value;
      else delete this.list.state.fields[field];
      this.update();
      this.remember();
    };
    this.value.addEventListener("input", () => take(false));
    this.value.addEventListener("change", () => take(true));
    return [make("label", {}, make("span", {}, "Another field"), chosen), make("label", {}, make("span", {}, "has the value"), this.value, values)];
  }

  change(target) {
    const name = target.dataset.state;
    if (!name) return;
    const { state } = this.list;
    if (name.startsWith("field:")) {
      const field = name.slice("field:".length);
      if (target.value) state.fields[field] = target.value;
      else delete state.fields[field];
    } else state[name] = name === "about" ? Number(target.value) : target.value;
    this.update();
    this.remember();
  }

  clear() {
    const { sort, by, order, about, diff } = this.list.state;
    this.list.state = { ...this.list.defaults(), sort, by, order, about, diff };
    this.update();
    this.remember();
    this.list.box.querySelector("input")?.focus();
  }

  // Options that depend on the system that is looked at, and the state as the controls show it.
  showState() {
    const { list } = this;
    const { state, data } = list;
    if (this.countedFor !== state.about) {
      this.countedFor = state.about;
      const tags = new Map();
      for (const row of list.rows) for (const { one } of list.tags(row)) tags.set(one, (tags.get(one) ?? 0) + 1);
      const states = new Map(data.systems[state.about].guards);
      const names = new Set([...states.keys(), ...data.tags.map((tag) => tag.guard).filter(Boolean)]);
      const options = [...names].map((guard) => [guard, list.rows.filter(list.concerns(guard)).length])
        .filter(([, times]) => times)
        .map(([guard, times]) => [guard, `${guard} (${count(times)})`, states.get(guard)]);
      const failed = options.filter(([, , found]) => found && found !== "passed");
      const others = options.filter(([, , found]) => !found || found === "passed");
      const fill = (label, choices) => label.querySelector("select").replaceChildren(...this.makeSelect("", "", choices).lastChild.childNodes);
      fill(this.problems, [["", "anything"], ...[...tags].map(([tag, times]) => [tag, `${tag} (${count(times)})`])]);
      fill(this.guards, [["", "any"], ...(failed.length ? [["not passed", failed]] : []), ...(others.length ? [[states.size ? "passed" : "looks at", others]] : [])]);
      this.problems.hidden = !tags.size;
      this.guards.hidden = !options.length;
    }
    for (const control of list.box.querySelectorAll("[data-state]")) {
      const name = control.dataset.state;
      const value = String(name.startsWith("field:") ? state.fields[name.slice("field:".length)] ?? "" : state[name]);
      if (control.value === value) continue;
      // A link may hold a value that no option has.
      if (control.tagName === "SELECT" && ![...control.options].some((option) => option.value === value)) control.append(make("option", { value }, value));
      control.value = value;
    }
    if (this.other) {
      const wanted = this.otherFields.findIndex(([field]) => field in state.fields);
      const [chosen] = this.otherFields[this.other.value || -1] ?? [];
      if (wanted >= 0 && !(chosen in state.fields)) this.other.value = String(wanted);
      if (document.activeElement !== this.value) this.fillValues();
    }
    const folded = list.describeFilters().length;
    this.details.firstChild.textContent = folded ? `Filters (${folded})` : "Filters";
  }

  // ---------------------------------------------------------------------------------------------------------- rows

  update() {
    const { list } = this;
    list.select();
    if (list.data.controls) this.showState();
    if (list.open && !list.shown.includes(list.open)) this.close();
    this.startAt(list.open ? list.shown.indexOf(list.open) : 0);
    const [found, all, words] = [list.shown.length, list.rows.length, list.describeFilters()];
    this.status.replaceChildren(found === all ? plural(all, "conversation") : `${count(found)} of ${plural(all, "conversation")}`,
      ...(list.data.controls && list.filtered ? [shorten(words.length ? `: ${words.join(", ")}` : "", 200), " ", this.reset] : []));
    this.showColumns();
  }

  showColumns() {
    const { list } = this;
    const metric = this.metricShown();
    if (metric < 0) return;
    const { label } = list.data.metrics[metric];
    const [before, after] = [list.data.systems[0], list.data.systems[list.state.about]];
    this.columns.textContent = list.several ? `${label}: ${before.role} → ${after.role}, and the gain` : label;
  }

  metricShown() {
    const { sort } = this.list.state;
    return sort === "place" ? Math.min(0, this.list.metrics.length - 1) : this.list.metrics.indexOf(sort);
  }

  // Only a part of the rows is there, from `from` to before `upTo`: thousands would take seconds.
  startAt(place) {
    this.from = this.upTo = Math.floor(Math.max(0, place) / STEP) * STEP;
    this.items.clear();
    this.rows.replaceChildren();
    this.showMore();
  }

  // Each click shows as many rows again as there are, up to 400.
  get portion() { return Math.max(STEP, Math.min(400, this.upTo - this.from)); }

  showMore() {
    const end = Math.min(this.list.shown.length, this.upTo + this.portion);
    const made = this.list.shown.slice(this.upTo, end).map((row) => this.makeRow(row));
    this.rows.append(...made);
    this.upTo = end;
    this.count(this.more, made[0]);
  }

  showBefore() {
    const start = Math.max(0, this.from - this.portion);
    const made = this.list.shown.slice(start, this.from).map((row) => this.makeRow(row));
    this.rows.prepend(...made);
    this.from = start;
    this.count(this.before, made[0]);
  }

  // Say what the buttons would show; where one was used, the first new row has the focus.
  count(used, first) {
    const focused = document.activeElement === used;
    for (const [button, left, words] of [[this.before, this.from, "before"], [this.more, this.list.shown.length - this.upTo, "more"]]) {
      button.hidden = !left;
      button.textContent = `Show ${count(Math.min(left, this.portion))} ${words} of ${count(left)}`;
    }
    if (focused) first?.firstChild.focus({ preventScroll: true });
  }

  // See to it that the row at a place is there.
  reach(place) {
    if (place >= this.upTo && place < this.upTo + this.portion) this.showMore();
    else if (place < this.from && place >= this.from - this.portion) this.showBefore();
    else if (place < this.from || place >= this.upTo) this.startAt(place);
  }

  makeRow(row) {
    const { list } = this;
    const metric = this.metricShown();
    const figures = [];
    if (metric >= 0) {
      const after = make("span", {}, score(row.texts[list.state.about].scores[metric]));
      if (list.several) {
        const gain = list.value(row, metric, "gain");
        const before = row.texts[0].scores[metric];
        if (before === null && row.texts[list.state.about].scores[metric] === null) figures.push(after);
        else figures.push(make("span", {}, score(before)), make("span", { class: "muted", "aria-hidden": "true" }, " → "), after);
        figures.push(" ", make("span", { class: `talk-gain ${trend(gain)}` }, gain === null ? "" : difference(gain)));
      } else figures.push(after);
    }
    const anchor = list.anchor(row);
    const open = list.open === row;
    const button = make("button", { type: "button", class: "talk-row", "aria-expanded": String(open), onclick: () => (list.open === row ? this.close(true) : this.open(row)) },
      make("span", { class: "talk-preview", dir: "auto" }, list.preview(row)), " ",
      make("span", { class: "talk-tags" }, list.tags(row).map((tag) => [make("span", { class: "talk-tag" }, tag.words), " "])), " ",
      make("span", { class: "talk-figures" }, figures));
    const item = make("li", { class: "talk", id: anchor }, button);
    if (open) {
      item.classList.add("open");
      item.append((list.opened ??= new Opened(list, row, (words) => this.say(words))).element);
    }
    this.items.set(row, item);
    return item;
  }

  say(words) {
    this.said.textContent = words;
    const note = make("span", { class: "talk-toast", "aria-hidden": "true" }, words);
    this.items.get(this.list.open)?.querySelector(".talk-actions")?.append(note);
    setTimeout(() => note.remove(), 2500);
  }

  open(row, { scroll = false, focus = true } = {}) {
    const { list } = this;
    if (!list.shown.includes(row)) {
      list.state = { ...list.defaults(), about: list.state.about, diff: list.state.diff };
      this.update();
    }
    this.reach(list.shown.indexOf(row));
    const item = this.items.get(row);
    const before = item.getBoundingClientRect().top;
    if (list.open !== row) {
      this.close();
      list.open = row;
      list.opened = new Opened(list, row, (words) => this.say(words));
      item.append(list.opened.element);
      item.classList.add("open");
      item.firstChild.setAttribute("aria-expanded", "true");
    }
    if (scroll) item.scrollIntoView();
    else scrollBy(0, item.getBoundingClientRect().top - before); // A row above that closes does not move this one.
    if (focus) this.focusOpen();
    this.remember(true);
  }

  focusOpen() { this.items.get(this.list.open)?.firstChild.focus({ preventScroll: true }); }

  close(byHand = false) {
    const { list } = this;
    const item = this.items.get(list.open);
    list.open = null;
    list.opened = null;
    if (item) {
      item.classList.remove("open");
      item.firstChild.setAttribute("aria-expanded", "false");
      item.lastChild.remove();
      if (byHand) item.firstChild.focus({ preventScroll: true });
    }
    if (byHand) this.remember(true);
  }

  // Next (+1) or previous (-1): moves the focus, and opens there if a row is open.
  step(by) {
    const { list } = this;
    const focused = document.activeElement?.closest?.(".talk");
    const current = list.open ?? list.shown.find((row) => this.items.get(row) === focused);
    const place = current ? list.shown.indexOf(current) + by : 0;
    const row = list.shown[Math.max(0, Math.min(list.shown.length - 1, place))];
    if (!row) return;
    if (list.open) {
      if (list.open !== row) this.open(row, { scroll: true });
      return;
    }
    this.reach(list.shown.indexOf(row));
    const button = this.items.get(row).firstChild;
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "nearest" });
  }

  // ---------------------------------------------------------------------------------------------------- the address

  remember(now = false) {
    clearTimeout(this.later);
    const write = () => {
      const hash = this.list.hash();
      if (hash !== location.hash) {
        try {
          history.replaceState(null, "", hash);
        } catch {
          // Browsers limit how often an address may change; the next change is written again.
        }
      }
    };
    // While somebody types, the address follows a moment later.
    if (now) write();
    else this.later = setTimeout(write, 300);
  }
}
