// One opened conversation: references beside all summaries, what the metrics marked, differences, turns, scores.

const TURNS = 40; // Turns that are shown at first.
const FACTS = 8; // Fields of the metadata that are shown at first.

const showSystem = (system) => [make("span", { class: "role" }, system.role), " ", make("span", { class: "name", dir: "auto" }, system.name)];

class Opened {
  constructor(list, row, say) {
    Object.assign(this, { list, row, say });
    this.pinned = null;
    this.turnWords = null;
    this.summaries = make("div", { class: "talk-summaries" });
    this.support = make("p", { class: "talk-support", role: "status" });
    this.element = make("div", { class: "talk-inside", role: "region", "aria-label": `Conversation ${row.id}` },
      this.makeHead(), this.summaries, this.support, this.makeTranscript(), this.makeScores());
    this.fill();
  }

  makeHead() {
    const { list, row } = this;
    const facts = list.data.fields.flatMap((field, place) => {
      const value = row.metadata[place];
      return value === null ? [] : [[" · ", make("span", { dir: "auto" }, `${field}: ${value.slice(0, 200)}`)]];
    });
    const more = facts.length > FACTS + 1 ? facts.splice(FACTS).map((fact, place) => (place ? fact : fact[1])) : [];
    const choices = [["", "not marked"], ["reference", "each summary and the closest human one"]];
    if (list.several) choices.splice(1, 0, ["baseline", `${list.data.systems[0].role} and ${list.data.systems.length > 2 ? "each other" : list.data.systems[1].role}`]);
    const differences = make("select", {
      onchange: (event) => {
        list.state.diff = event.target.value;
        this.fill();
        list.view.remember();
      },
    }, choices.map(([value, words]) => make("option", { value, selected: value === list.state.diff }, words)));
    const copy = make("button", { type: "button", onclick: () => this.copyLink() }, "Copy link");
    return [
      make("p", { class: "talk-id" }, make("code", { dir: "auto" }, row.id), ...facts),
      more.length ? make("details", { class: "talk-id" }, make("summary", {}, `${count(more.length)} more fields`), make("p", {}, more)) : null,
      make("p", { class: "talk-actions" }, make("label", {}, "Differences ", differences), copy),
    ];
  }

  async copyLink() {
    this.list.view.remember(true);
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      const field = make("textarea", { class: "unseen" }, location.href);
      this.element.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    this.say("The link is copied.");
  }

  // ---------------------------------------------------------------------------------------------------- summaries

  fill() {
    const { list, row } = this;
    this.pinned = null;
    const { diff, about } = list.state;
    const texts = row.texts.map(({ text }) => text);
    const changes = texts.map(() => []);
    const inReferences = row.references.map(() => []);
    let closest = null;
    let tooLong = false;
    let shared = null;
    const compareWith = (before, after, place) => {
      const found = compareWords(before, after);
      tooLong ||= found === null;
      if (found) changes[place] = found.added;
      return found;
    };
    if (diff === "baseline" && list.several && texts[0] !== null) {
      for (let place = 1; place < texts.length; place += 1) {
        const found = texts[place] === null ? null : compareWith(texts[0], texts[place], place);
        if (found && place === about) {
          changes[0] = found.removed;
          shared = found.shared;
        }
      }
    } else if (diff === "reference") {
      texts.forEach((text, place) => {
        if (text === null) return;
        const all = row.references.map((reference) => compareWords(reference.text, text));
        tooLong ||= all.includes(null);
        const best = all.reduce((most, one, at) => (one && (most < 0 || one.likeness > all[most].likeness) ? at : most), -1);
        if (best < 0) return;
        changes[place] = all[best].added;
        if (place === about) {
          closest = best;
          inReferences[best] = all[best].removed;
          shared = all[best].shared;
        }
      });
    }
    const references = make("section", { class: "talk-references" },
      make("h3", {}, plural(row.references.length, "human summary", "human summaries")),
      row.references.length
        ? make("ol", {}, row.references.map((reference, place) => make("li", {},
          this.makeText(reference, inReferences[place]),
          closest === place ? make("p", { class: "talk-facts" }, `closest to the ${list.data.systems[about].role}`) : null)))
        : make("p", { class: "talk-facts" }, "none"));
    const systems = list.data.systems.map((system, place) => this.makeSummary(system, place, changes[place]));
    this.summaries.replaceChildren(references, ...systems);
    const legend = { baseline: [make("ins", {}, "Only in this summary"), ", ", make("del", {}, `only in the ${list.data.systems[0].role}’s`), "."],
      reference: [make("ins", {}, "Not in the closest human summary"), ", ", make("del", {}, "only there"), "."] }[diff] ?? [];
    this.rest = [...legend, legend.length ? " " : "",
      shared === null ? "" : `${Math.round(100 * shared)}% of the words are in both, in the same order. `,
      tooLong ? "Some texts are too long to compare word by word. " : "",
      "Choose a sentence of a summary to see which turns share its words."];
    this.showSupport(null);
  }

  makeSummary(system, place, changes) {
    const { list, row } = this;
    const found = row.texts[place];
    const title = make("h3", {}, showSystem(system));
    if (found.text === null) return make("section", {}, title, make("p", { class: "talk-facts" }, "No text is recorded: only its scores are known."));
    const marks = (found.marks ?? []).map(([start, end, kind]) => ({ start, end, kind: "mark", title: list.data.kinds[kind] }));
    const facts = [plural(found.text.split(/\s+/).filter(Boolean).length, "word")];
    if (found.tokens !== undefined && found.tokens !== null) facts.push(plural(found.tokens, "token"));
    if (found.dropped) facts.push(`${plural(found.dropped, "turn")} left out of the prompt`);
    const tags = list.tags(row, place);
    return make("section", {}, title,
      found.text.trim() ? this.makeText(found, [...marks, ...changes]) : make("p", { class: "talk-facts" }, "The summary is empty."),
      tags.length ? make("p", {}, tags.map((tag) => [make("span", { class: "talk-tag" }, tag.words), " "])) : null,
      make("p", { class: "talk-facts" }, facts.join(" · ")),
      marks.length ? make("ul", { class: "talk-marks", "aria-label": "Marked in the text" }, marks.slice(0, 12).map(({ start, end, title: kind }) =>
        make("li", {}, make("mark", { dir: "auto" }, shorten(found.text.slice(start, end).trim(), 40)), `: ${kind}`)),
      marks.length > 12 ? make("li", {}, `and ${marks.length - 12} more`) : null) : null);
  }

  // A text with its sentences as buttons that show the turns with the same words.
  makeText({ text, ends }, ranges) {
    const paragraph = make("p", { class: "talk-text", dir: "auto" });
    if (text.length > LONG) return fillText(paragraph, text);
    const cuts = ends?.length ? ends : [text.length];
    let from = 0;
    cuts.forEach((end, place) => {
      const to = place === cuts.length - 1 ? text.length : end;
      const space = text.slice(from, to).match(/^\s*/)[0];
      paragraph.append(space);
      from += space.length;
      const sentence = text.slice(from, to);
      const choose = (event) => {
        event.preventDefault();
        this.pin(button, sentence);
      };
      const button = make("span", {
        class: "talk-sentence",
        role: "button",
        tabindex: "0",
        "aria-pressed": "false",
        onclick: choose,
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") choose(event); },
        onmouseenter: () => this.showSupport(sentence),
        onmouseleave: () => this.showSupport(this.pinned?.sentence ?? null),
        onfocus: () => this.showSupport(sentence),
        onblur: () => this.showSupport(this.pinned?.sentence ?? null),
      }, paintRanges(text, from, to, ranges));
      if (sentence.trim()) paragraph.append(button);
      from = to;
    });
    return paragraph;
  }

  pin(button, sentence) {
    const same = this.pinned?.button === button;
    this.pinned?.button.setAttribute("aria-pressed", "false");
    this.pinned = same ? null : { button, sentence };
    if (!same) button.setAttribute("aria-pressed", "true");
    const found = this.showSupport(this.pinned?.sentence ?? null);
    if (!found?.order.length) return;
    const first = Math.min(...found.order.map(({ place }) => place));
    if (first >= this.turns.length) this.showTurns(this.row.turns.length);
    if (found.order.some(({ place }) => place >= this.turns.length)) this.showTurns(this.row.turns.length);
    this.showSupport(sentence);
    // The box scrolls, not the page, so that the sentence stays where it is.
    const box = this.scroller.getBoundingClientRect();
    const turn = this.turns[first].element.getBoundingClientRect();
    this.scroller.scrollTop += turn.top - box.top - 8;
  }

  showSupport(sentence) {
    for (const place of this.lit ?? []) this.restoreTurn(place);
    this.lit = [];
    if (sentence === null) {
      this.support.replaceChildren(...(this.rest ?? []).filter((part) => part !== ""));
      return null;
    }
    this.turnWords ??= this.row.turns.map(([, text]) => contentWords(text.slice(0, LONG)));
    const found = findSupport(sentence, this.turnWords);
    for (const { place, words } of found.order) {
      this.lit.push(place);
      this.lightTurn(place, words, found.wanted.length);
    }
    const numbers = found.order.map(({ place, words }) => `turn ${place + 1} (${words.length})`);
    const parts = [
      !found.wanted.length ? "This sentence has no words to look for."
        : numbers.length ? `Of the ${plural(found.wanted.length, "content word")} of this sentence, ${numbers.join(", ")} ${numbers.length > 1 ? "have" : "has"} most.`
          : `No turn has a quarter of the ${plural(found.wanted.length, "content word")} of this sentence.`,
      found.nowhere.length ? ` In no turn: ${found.nowhere.slice(0, 8).map((word) => this.spell(sentence, word)).join(", ")}${found.nowhere.length > 8 ? ", …" : ""}.` : "",
      " Shared words show where to read; they prove nothing.",
    ];
    this.support.textContent = parts.join("");
    return found;
  }

  spell(sentence, word) {
    const [[start, end]] = contentWords(sentence).get(word);
    return sentence.slice(start, end);
  }

  // --------------------------------------------------------------------------------------------------------- turns

  makeTranscript() {
    const { row } = this;
    this.turns = [];
    this.turnList = make("ol", { class: "talk-turns" });
    this.moreTurns = make("button", { type: "button", class: "talk-more", onclick: () => {
      this.showTurns(row.turns.length);
      this.scroller.focus();
    } }, `Show all ${count(row.turns.length)} turns`);
    this.scroller = make("div", { class: "talk-scroller", tabindex: "0", role: "group", "aria-label": "Turns of the conversation" }, this.turnList, this.moreTurns);
    this.showTurns(row.turns.length > TURNS + 5 ? TURNS : row.turns.length);
    return make("section", { class: "talk-transcript" }, make("h3", {}, `Conversation, ${plural(row.turns.length, "turn")}`), this.scroller);
  }

  showTurns(upTo) {
    for (let place = this.turns.length; place < upTo; place += 1) {
      const [role, text] = this.row.turns[place];
      const name = this.list.data.roles[role];
      const said = make("span", { class: "talk-said", dir: "auto" });
      const note = make("span", { class: "talk-note" });
      const kind = ["customer", "agent"].includes(name) ? name : "other";
      const element = make("li", { class: `talk-turn ${kind}` },
        make("span", { class: "talk-speaker" }, make("span", { dir: "auto" }, name.slice(0, 80)), " ", make("span", { class: "talk-number" }, String(place + 1))),
        make("div", {}, fillText(said, text), note));
      this.turns.push({ element, said, note });
      this.turnList.append(element);
    }
    this.moreTurns.hidden = this.turns.length >= this.row.turns.length;
  }

  lightTurn(place, words, of) {
    const turn = this.turns[place];
    if (!turn) return;
    const text = this.row.turns[place][1];
    turn.element.classList.add("supports");
    turn.note.textContent = ` ${words.length} of ${of} words`;
    if (text.length > FOLDED) return;
    const ranges = words.flatMap((word) => this.turnWords[place].get(word).map(([start, end]) => ({ start, end, kind: "b", class: "talk-shared" })));
    turn.said.replaceChildren(...paintRanges(text, 0, text.length, ranges));
  }

  restoreTurn(place) {
    const turn = this.turns[place];
    if (!turn) return;
    const text = this.row.turns[place][1];
    turn.element.classList.remove("supports");
    turn.note.textContent = "";
    if (text.length <= FOLDED) turn.said.textContent = text;
  }

  // -------------------------------------------------------------------------------------------------------- scores

  makeScores() {
    const { list, row } = this;
    const { metrics, systems } = list.data;
    if (!metrics.length) return null;
    const marks = { higher: "", lower: " ↓", neither: " ·" };
    const rows = metrics.map((metric, number) => {
      const values = row.texts.map((text) => text.scores[number]);
      if (values.every((value) => value === null)) return null;
      return make("tr", {}, make("th", { scope: "row" }, metric.label + marks[metric.direction]), values.map((value, place) => {
        const gain = place ? list.value(row, number, "gain", place) : null;
        return make("td", { class: "number" }, score(value),
          place ? make("span", { class: `talk-gain ${metric.direction === "neither" ? "same" : trend(gain)}` }, gain === null ? "" : difference(gain)) : null);
      }));
    });
    const label = `Scores of conversation ${row.id}`;
    return make("div", { class: "talk-scores", tabindex: "0", role: "region", "aria-label": label }, make("table", {},
      make("caption", {}, list.several ? `Scores, and how much better (+) or worse (-) than the ${systems[0].role}` : "Scores",
        metrics.some((metric) => metric.direction !== "higher") ? "; ↓ lower is better, · neither is better" : ""),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Metric"), systems.map((system) => make("th", { scope: "col", class: "number" }, showSystem(system))))),
      make("tbody", {}, rows)));
  }
}
