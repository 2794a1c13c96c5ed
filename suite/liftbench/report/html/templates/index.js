// Finding and filtering of runs. The page is complete without it.
for (const controls of document.querySelectorAll(".controls")) {
  const rows = [...document.querySelectorAll("[data-list] > tr")];
  const words = rows.map((row) => row.textContent.toLowerCase());
  const act = (name) => controls.querySelector(`[data-act="${name}"]`);
  const shown = controls.querySelector("output");
  const show = () => {
    const wanted = act("find").value.trim().toLowerCase();
    let found = 0;
    rows.forEach((row, place) => {
      const fits = ["status", "protocol"].every((name) => !act(name)?.value || row.dataset[name] === act(name).value);
      row.hidden = !(fits && words[place].includes(wanted));
      found += row.hidden ? 0 : 1;
    });
    shown.textContent = found < rows.length ? `${found} of ${rows.length}` : "";
  };
  controls.addEventListener("input", show);
  controls.hidden = false;
}
