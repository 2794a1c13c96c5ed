// Starts the lists of conversations; links, keys, and clicks on charts lead into them.

const lists = [...document.querySelectorAll(".talks")].map((box) => new List(box));
const views = lists.map((list) => new View(list));

// `#c12` opens a conversation, `#conversations?guard=endings` sets filters, `#c12?sort=rougeL` does both.
const follow = () => {
  const [target, query] = [location.hash.slice(1).split("?")[0], location.hash.split("?").slice(1).join("?")];
  for (const list of lists) {
    const row = list.find(target);
    if (!row && (target !== list.name || !query)) continue;
    clearTimeout(list.view.later);
    if (query || !list.data.controls) {
      list.read(query);
      list.view.close();
      list.view.update();
    }
    if (row) list.view.open(row, { scroll: true });
    else {
      (list === lists[0] ? list.box.closest("section") ?? list.box : list.box).scrollIntoView();
      list.view.status.focus({ preventScroll: true });
    }
    return;
  }
};
addEventListener("hashchange", follow);
document.addEventListener("click", (event) => {
  // A link to the address that is shown already changes no hash.
  const link = event.target.closest?.("a[href^='#']");
  if (link && link.getAttribute("href") === location.hash) follow();
});

// Another part of the page asks for the conversations with one value of a field; no value takes the filter away.
document.addEventListener("filter-conversations", ({ detail: { field, value } }) => {
  const [list] = lists;
  if (!list) return;
  if (value === null || value === undefined || value === "") delete list.state.fields[field];
  else list.state.fields[field] = String(value);
  list.view.update();
  list.view.remember(true);
});

const typing = (element) => element.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;
addEventListener("keydown", (event) => {
  const list = lists.find(({ box }) => box.contains(document.activeElement)) ?? lists.find((one) => one.open) ?? lists[0];
  if (!list || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { view } = list;
  if (event.key === "Escape") {
    if (event.target.matches?.("input[type=search]") && event.target.value) return;
    if (typing(event.target)) event.target.blur();
    else if (list.open) view.close(true);
    return;
  }
  if (typing(event.target) || !(view.keys?.checked ?? true)) return;
  if (event.key === "j" || event.key === "k") view.step(event.key === "j" ? 1 : -1);
  else if (event.key === "/" && list.data.controls) list.box.querySelector("input[type=search]").focus();
  else return;
  event.preventDefault();
});

// Where a pointer is over a chart, in the chart's own units from its left edge.
const across = (chart, { clientX }) => {
  const box = chart.getBoundingClientRect();
  return ((clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
};

// A click on a bar of the gains opens its conversation; the lists below the chart, and sorting, lead there without a mouse.
for (const figure of document.querySelectorAll("figure.gains")) {
  const [list] = lists;
  const about = Number(figure.dataset.candidate);
  figure.addEventListener("click", (event) => {
    const chart = event.target.closest("svg");
    if (!chart || !list) return;
    const [left, right] = figure.dataset.plot.split(" ").map(Number);
    const { width } = chart.viewBox.baseVal;
    const known = list.rows.filter((row) => row.gains[about - 1] !== null)
      .sort((one, other) => one.gains[about - 1] - other.gains[about - 1] || one.place - other.place);
    const place = Math.floor(((across(chart, event) - left) / (width - left - right)) * known.length);
    if (place >= 0 && place < known.length) {
      list.state.about = about;
      list.view.update();
      list.view.open(known[place], { scroll: true });
    }
  });
}

follow();
// Once loaded, the browser itself goes to the place in the address, and takes the focus away.
addEventListener("load", () => setTimeout(() => lists.find((list) => list.open)?.view.focusOpen()));

// The first search need not wait: its words are made while nothing else happens.
const prepare = (list, from = 0) => (globalThis.requestIdleCallback ?? ((work) => setTimeout(work, 50)))(() => {
  for (const row of list.rows.slice(from, from + 200)) {
    list.words(row);
    list.length(row);
  }
  if (from + 200 < list.rows.length) prepare(list, from + 200);
});
for (const list of lists) if (list.data.controls) prepare(list);
