// A list of conversations: what is in it, which of them are shown, and in which order.

const STEP = 25; // Rows that are made at first.

const score = (value) => (value === null || value === undefined ? "unknown" : value.toFixed(3));
const difference = (value) => {
  if (value === null || value === undefined) return "unknown";
  const words = value.toFixed(3);
  return Number(words) === 0 ? "0.000" : value > 0 ? `+${words}` : words;
};
const trend = (gain) => (gain === null || gain === undefined ? "unknown" : gain > 0 ? "better" : gain < 0 ? "worse" : "same");

class List {
  constructor(box) {
    this.box = box;
    this.data = JSON.parse(box.querySelector("script").textContent);
    this.name = this.data.name;
    this.rows = this.data.rows;
    this.several = this.data.systems.length > 1;
    this.byPlace = new Map(this.rows.map((row) => [row.place, row]));
    this.metrics = this.data.metrics.map((metric) => metric.name);
    this.sliceNames = new Set(this.data.slicing.map((slicing) => slicing.field));
    this.open = null; // The row that is open.
    this.shown = [];
    this.state = this.defaults();
  }

  defaults() {
    // The data come in the default order: the worst first.
    const downwards = !this.several && this.data.metrics[0]?.direction === "lower";
    return {
      search: "", guard: "", problem: "", change: "", fields: {},
      metric: "", of: this.several ? "gain" : "candidate", min: "", max: "",
      sort: this.metrics[0] ?? "place", by: this.several ? "gain" : "candidate", order: downwards ? "desc" : "asc",
      about: this.several ? 1 : 0, diff: "",
    };
  }

  anchor(row) { return `${this.data.prefix}${row.place + 1}`; }

  find(anchor) {
    const { prefix } = this.data;
    if (!anchor.startsWith(prefix) || !/^\d+$/.test(anchor.slice(prefix.length))) return null;
    return this.byPlace.get(Number(anchor.slice(prefix.length)) - 1) ?? null;
  }

  // ------------------------------------------------------------------------------------------------------ one row

  value(row, metric, by, about = this.state.about) {
    const after = row.texts[about].scores[metric];
    if (by === "candidate") return after;
    const before = row.texts[0].scores[metric];
    if (by === "baseline") return before;
    if (metric === 0) return row.gains[about - 1];
    if (before === null || after === null) return null;
    return this.data.metrics[metric].direction === "lower" ? before - after : after - before;
  }

  gain(row) { return this.several ? row.gains[this.state.about - 1] : null; }

  tags(row, about = this.state.about) {
    return (row.texts[about].tags ?? []).map(([number, times]) => {
      const tag = this.data.tags[number];
      return { ...tag, words: tag.many ? plural(times, tag.one, tag.many) : tag.one };
    });
  }

  preview(row) {
    return row.turns.length ? shorten(row.turns[0][1].slice(0, 400).replace(/\s+/g, " ").trim(), 140) : "no turns";
  }

  words(row) {
    // Everything that the search looks at, in lower case; made once.
    if (row.words === undefined) {
      const metadata = this.data.fields.map((field, place) => `${field}: ${row.metadata[place] ?? ""}`);
      row.words = [
        row.id, ...metadata,
        ...row.turns.map(([, text]) => text),
        ...row.references.map(({ text }) => text),
        ...row.texts.map(({ text }) => text ?? ""),
      ].join("\n").toLowerCase();
    }
    return row.words;
  }

  length(row) {
    // Words between spaces, as in the chart of gains by length.
    return row.turns.reduce((sum, [, text]) => sum + (text.match(/\S+/g) ?? []).length, 0);
  }

  inSlice(row, field, label) {
    const place = this.data.fields.indexOf(field);
    if (place >= 0 && row.metadata[place] === label) return true;
    const range = /^(\d+) to (\d+)$/.exec(field === "words" ? label : "");
    if (range) return this.length(row) >= Number(range[1]) && this.length(row) <= Number(range[2]);
    const slicing = this.data.slicing.find((one) => one.field === field);
    return slicing !== undefined && slicing.labels[slicing.of[row.place]] === label;
  }

  // Whether a guard is about a row: it has named those that decide, or the row has a tag that it counts.
  concerns(guard) {
    const { guards, worse } = this.data.systems[this.state.about];
    const places = new Set(guards.find(([name]) => name === guard)?.[2]);
    if (places.size) return (row) => places.has(row.place);
    if (guard === "slices") return (row) => worse.some(([field, label]) => this.inSlice(row, field, label));
    return (row) => this.tags(row).some((tag) => tag.guard === guard);
  }

  // --------------------------------------------------------------------------------------------- filters and order

  filters() {
    const { search, guard, problem, change, fields, metric, of, min, max, about } = this.state;
    const tests = [];
    if (guard) tests.push(this.concerns(guard));
    if (problem) tests.push((row) => this.tags(row).some((tag) => tag.one === problem));
    if (change) tests.push((row) => trend(this.gain(row)) === change);
    for (const [field, label] of Object.entries(fields)) tests.push((row) => this.inSlice(row, field, label));
    const number = this.metrics.indexOf(metric);
    const [low, high] = [min, max].map((bound) => (String(bound).trim() === "" ? NaN : Number(bound)));
    if (number >= 0 && !(Number.isNaN(low) && Number.isNaN(high))) {
      tests.push((row) => {
        const value = this.value(row, number, of);
        return value !== null && value !== undefined && !(value < low) && !(value > high);
      });
    }
    for (const [, exact, word] of search.toLowerCase().matchAll(/"([^"]+)"|(\S+)/g)) {
      tests.push((row) => this.words(row).includes(exact ?? word));
    }
    return tests;
  }

  sorted() {
    const { sort, by, order, about } = this.state;
    const key = JSON.stringify([sort, by, order, about]);
    if (this.sortedKey !== key) {
      const number = this.metrics.indexOf(sort);
      const sign = order === "desc" ? -1 : 1;
      const valued = this.rows.map((row) => [number < 0 ? row.place : this.value(row, number, by), row]);
      // What has no value comes last in either direction.
      valued.sort(([one, first], [other, second]) => {
        const [missing, lacking] = [one ?? null, other ?? null].map((value) => (value === null ? 1 : 0));
        return missing - lacking || (missing ? 0 : sign * (one - other)) || first.place - second.place;
      });
      this.inOrder = valued.map(([, row]) => row);
      this.sortedKey = key;
    }
    return this.inOrder;
  }

  select() {
    const tests = this.filters();
    this.shown = this.sorted().filter((row) => tests.every((test) => test(row)));
  }

  // The filters that are set, in words, except the search.
  describeFilters() {
    const { guard, problem, change, fields, metric, of, min, max } = this.state;
    const number = this.metrics.indexOf(metric);
    const whose = { gain: "gain in ", baseline: `${this.data.systems[0].role}’s `, candidate: "" }[of];
    return [
      guard && `guard ${guard}`, problem, change && `${this.data.metrics[0]?.label ?? "score"} ${change}`,
      ...Object.entries(fields).map(([field, label]) => `${field} ${label}`),
      number >= 0 && min !== "" && `${whose}${this.data.metrics[number].label} at least ${min}`,
      number >= 0 && max !== "" && `${whose}${this.data.metrics[number].label} at most ${max}`,
    ].filter(Boolean);
  }

  get filtered() { return Boolean(this.state.search.trim()) || this.describeFilters().length > 0; }

  // ------------------------------------------------------------------------------------------------ state as a link

  hash() {
    const standard = this.defaults();
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(this.state)) {
      if (name === "fields") {
        for (const [field, label] of Object.entries(value)) query.append(field in standard ? `field:${field}` : field, label);
      } else if (value !== standard[name]) query.append(name, String(value));
    }
    const words = query.toString();
    return `#${this.open ? this.anchor(this.open) : this.name}${words ? `?${words}` : ""}`;
  }

  read(query) {
    const state = this.defaults();
    for (const [name, value] of new URLSearchParams(query)) {
      if (name === "about") {
        const number = Number(value);
        if (Number.isInteger(number) && number > 0 && number < this.data.systems.length) state.about = number;
      } else if (name !== "fields" && name in state) state[name] = value;
      else state.fields[name.replace(/^field:/, "")] = value;
    }
    const allowed = { change: ["better", "worse", "same", "unknown"], order: ["asc", "desc"], diff: ["baseline", "reference"] };
    for (const [name, values] of Object.entries(allowed)) if (!values.includes(state[name])) state[name] = this.defaults()[name];
    const sides = this.several ? ["gain", "baseline", "candidate"] : ["candidate"];
    for (const name of ["of", "by"]) if (!sides.includes(state[name])) state[name] = this.defaults()[name];
    if (state.sort !== "place" && !this.metrics.includes(state.sort)) state.sort = this.defaults().sort;
    this.state = state;
  }
}
