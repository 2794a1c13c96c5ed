// The frame around the page: folded sections open when a link leads to them, and the contents close after a choice.
{
  const unfold = () => {
    const target = document.getElementById(location.hash.slice(1).split("?")[0]);
    let closed = false;
    for (let at = target && (target.querySelector(":scope > details.fold") ?? target.closest("details")); at; at = at.parentElement.closest("details")) {
      closed ||= !at.open;
      at.open = true;
    }
    if (closed) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();

  const contents = document.getElementById("contents");
  if (contents) contents.addEventListener("click", () => contents.hidePopover && contents.hidePopover());
}

// Dragging over the chart of lengths lists the conversations of these lengths; a click lists all again.
for (const figure of document.querySelectorAll("figure.brush")) {
  const [left, right] = figure.dataset.plot.split(" ").map(Number);
  let chart = null;
  let mark = null;
  let from = 0;
  const place = (event) => Math.min(chart.viewBox.baseVal.width - right, Math.max(left, across(chart, event)));
  figure.addEventListener("pointerdown", (event) => {
    chart = event.target.closest("svg");
    if (!chart || event.button) return;
    from = place(event);
    figure.querySelectorAll(".brushed").forEach((old) => old.remove());
    mark = chart.appendChild(document.createElementNS(chart.namespaceURI, "rect"));
    mark.setAttribute("class", "brushed");
    mark.setAttribute("height", chart.viewBox.baseVal.height);
    figure.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  figure.addEventListener("pointermove", (event) => {
    if (!mark) return;
    mark.setAttribute("x", Math.min(from, place(event)));
    mark.setAttribute("width", Math.abs(place(event) - from));
  });
  figure.addEventListener("pointerup", (event) => {
    if (!mark) return;
    const span = chart.viewBox.baseVal.width - left - right;
    const [low, high] = [from, place(event)].sort((one, other) => one - other)
      .map((at) => Math.round(((at - left) / span) * figure.dataset.longest));
    const wide = Math.abs(place(event) - from) > 3;
    if (!wide) mark.remove();
    mark = null;
    const detail = { field: "words", value: wide ? `${low} to ${high}` : null };
    document.dispatchEvent(new CustomEvent("filter-conversations", { detail }));
    if (wide) document.getElementById("conversations").scrollIntoView();
  });
  figure.addEventListener("pointercancel", () => { mark = null; });
}
