// Shows one pair at a time, with keys. Keeps answers in this browser if it allows that, and hands them out as a file.
const root = document.getElementById("sheet");
const pairs = [...document.querySelectorAll(".task")];
const buttons = [...document.querySelectorAll("#map button")];
const judge = document.getElementById("judge");
const message = document.getElementById("message");
const store = `liftbench-judging:${root.dataset.sheet}`;
let at = 0;

// ------------------------------------------------------------------------------------------------------------ answers

const statementsOf = (pair, side) => [...pair.querySelectorAll(`[data-side="${side}"] .statement`)];
const answerOf = (group) => group.querySelector("input:checked")?.value ?? null;
const setAnswer = (group, value) => {
  for (const input of group.querySelectorAll("input")) input.checked = input.value === value;
};
const better = (pair) => pair.querySelector(".choice");
const read = (pair) => ({
  id: pair.dataset.id,
  better: answerOf(better(pair)),
  left: statementsOf(pair, "left").map(answerOf),
  right: statementsOf(pair, "right").map(answerOf),
});
const write = (pair, answers) => {
  setAnswer(better(pair), answers.better);
  for (const side of ["left", "right"])
    statementsOf(pair, side).forEach((statement, place) => setAnswer(statement, answers[side][place]));
};
const judgments = () => ({
  schema: Number(root.dataset.schema),
  sheet: root.dataset.sheet,
  judge: judge.value.trim(),
  pairs: pairs.map(read),
});
const restore = (found) => {
  if (found.sheet !== root.dataset.sheet) throw new Error(`it is about sheet ${found.sheet}`);
  const byId = new Map(found.pairs.map((answers) => [answers.id, answers]));
  judge.value = found.judge;
  for (const pair of pairs) if (byId.has(pair.dataset.id)) write(pair, byId.get(pair.dataset.id));
};

// A browser may refuse to keep anything (private windows, files of another origin): the page works without it.
const keep = () => {
  try {
    localStorage.setItem(store, JSON.stringify({ ...judgments(), at }));
    return true;
  } catch {
    return false;
  }
};
const remember = () => {
  try {
    const found = JSON.parse(localStorage.getItem(store));
    if (!found) return;
    restore(found);
    at = Math.min(Math.max(Number(found.at) || 0, 0), pairs.length - 1);
  } catch {
    // The kept answers cannot be read: the judge begins again.
  }
};

// -------------------------------------------------------------------------------------------------------------- state

const openPairs = () => {
  const all = pairs.map(read);
  const sentences = all.some(({ left, right }) => [...left, ...right].some((answer) => answer !== null));
  return all.filter((one) => one.better === null || (sentences && [...one.left, ...one.right].includes(null)));
};
const update = () => {
  pairs.forEach((pair, place) => {
    const { better: preferred, left, right } = read(pair);
    const answers = [preferred, ...left, ...right];
    const state = answers.every((one) => one !== null) ? "done" : answers.some((one) => one !== null) ? "part" : "open";
    buttons[place].className = state;
    buttons[place].setAttribute("aria-label", `Pair ${place + 1}, ${{ done: "answered", part: "begun", open: "open" }[state]}`);
  });
  const preferred = pairs.filter((pair) => answerOf(better(pair)) !== null).length;
  document.getElementById("place").textContent = `Pair ${at + 1} of ${pairs.length} · ${preferred} judged`;
  message.textContent = keep() ? "" : "This browser keeps nothing: download the file before you close the page.";
};
const show = (place) => {
  at = Math.min(Math.max(place, 0), pairs.length - 1);
  pairs.forEach((pair, number) => { pair.hidden = number !== at; });
  buttons.forEach((button, number) => {
    if (number === at) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  });
  const map = document.getElementById("map");
  map.scrollTop = buttons[at].offsetTop - map.offsetTop - 4;
  update();
};
const go = (place) => {
  show(place);
  pairs[at].scrollIntoView();
};

// ---------------------------------------------------------------------------------------------------------- sentences

const statements = () => [...pairs[at].querySelectorAll(".statement")];
const marked = () => statements().find((one) => one.classList.contains("marked")) ?? null;
const mark = (statement) => {
  for (const one of statements()) one.classList.toggle("marked", one === statement);
  statement?.scrollIntoView({ block: "nearest" });
};
const move = (step) => {
  const all = statements();
  const now = all.indexOf(marked());
  mark(all[now < 0 ? 0 : Math.min(Math.max(now + step, 0), all.length - 1)]);
};
const say = (value) => {
  const statement = marked() ?? statements()[0];
  if (!statement) return;
  mark(statement);
  setAnswer(statement, value ?? (answerOf(statement) === "yes" ? "no" : "yes"));
  if (value) move(1);
  update();
};

// --------------------------------------------------------------------------------------------------------------- keys

const prefer = (value) => {
  setAnswer(better(pairs[at]), value);
  update();
};
const keys = {
  1: () => prefer("left"), a: () => prefer("left"),
  2: () => prefer("right"), b: () => prefer("right"),
  0: () => prefer("tie"), t: () => prefer("tie"),
  n: () => go(at + 1), arrowright: () => go(at + 1),
  p: () => go(at - 1), arrowleft: () => go(at - 1),
  j: () => move(1), k: () => move(-1),
  s: () => say(null), y: () => say("yes"), x: () => say("no"), u: () => say("unsure"),
};
document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input[type=text], input[type=file]")) return;
  const key = event.key.toLowerCase();
  // Arrows move within a group of answers that has the focus, as everywhere.
  if (!Object.hasOwn(keys, key) || (key.startsWith("arrow") && target.matches("input"))) return;
  event.preventDefault();
  keys[key]();
});
document.addEventListener("focusin", ({ target }) => {
  const statement = target.closest(".statement");
  if (statement) mark(statement);
});
document.addEventListener("change", ({ target }) => { if (target.matches("input[type=radio]")) update(); });
judge.addEventListener("input", update);
document.getElementById("previous").addEventListener("click", () => go(at - 1));
document.getElementById("next").addEventListener("click", () => go(at + 1));
buttons.forEach((button, place) => button.addEventListener("click", () => go(place)));

// -------------------------------------------------------------------------------------------------------------- files

document.getElementById("download").addEventListener("click", () => {
  if (!judge.value.trim()) {
    message.textContent = "Enter your name first.";
    judge.focus();
    return;
  }
  const name = judge.value.trim().toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "judge";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(judgments(), null, 2)], { type: "application/json" }));
  link.download = `judgments-${name}.json`;
  link.click();
  const left = openPairs().length;
  message.textContent = left
    ? `Downloaded, with open questions in ${left} of ${pairs.length} pairs. It counts only when all are answered.`
    : "Downloaded. All questions are answered.";
});
document.getElementById("restore").addEventListener("change", async ({ target }) => {
  try {
    restore(JSON.parse(await target.files[0].text()));
    show(at);
    message.textContent = "Your answers are back.";
  } catch (error) {
    message.textContent = `This file cannot be read: ${error.message}`;
  }
});

remember();
show(at);
// A judge who comes back has read the instructions.
if (pairs.some((pair) => answerOf(better(pair)) !== null)) document.querySelector(".help").open = false;
