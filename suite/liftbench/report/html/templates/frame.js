// The frame around the page: folded sections open when a link leads to them, and the contents close after a choice.
{
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1).split("?")[0]));
    const fold = target && (target.querySelector(":scope > details.fold") || target.closest("details"));
    if (!fold || fold.open) return;
    fold.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();

  const contents = document.getElementById("contents");
  if (contents) contents.addEventListener("click", () => contents.hidePopover && contents.hidePopover());
}
