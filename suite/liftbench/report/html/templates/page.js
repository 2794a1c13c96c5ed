// Finding and sorting of conversations. The page is complete without it.
for (const controls of document.querySelectorAll(".controls")) {
  const list = controls.nextElementSibling;
  const items = [...list.children];
  const words = new Map();
  const act = (name) => controls.querySelector(`[data-act="${name}"]`);
  const shown = controls.querySelector("output");

  const find = () => {
    const wanted = act("find").value.trim().toLowerCase();
    let found = 0;
    for (const item of items) {
      if (!words.has(item)) words.set(item, item.textContent.toLowerCase());
      item.hidden = !words.get(item).includes(wanted);
      found += item.hidden ? 0 : 1;
    }
    shown.textContent = wanted ? `${found} of ${items.length}` : "";
  };
  const orders = {
    order: () => items,
    reverse: () => [...items].reverse(),
    place: () => [...items].sort((one, other) => one.dataset.place - other.dataset.place),
  };
  const open = (on) => items.forEach((item) => { if (!item.hidden) item.open = on; });

  act("find").addEventListener("input", find);
  act("sort").addEventListener("change", (event) => list.replaceChildren(...orders[event.target.value]()));
  act("open").addEventListener("click", () => open(true));
  act("close").addEventListener("click", () => open(false));
  controls.hidden = false;
}

// A link to a conversation opens it, also in browsers that do not do so by themselves.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  const around = target && target.closest("details");
  if (!around) return;
  around.hidden = false;
  around.open = true;
  around.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();
