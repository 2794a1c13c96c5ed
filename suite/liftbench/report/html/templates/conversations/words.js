// Texts: words that two texts share, differences word by word, and texts as elements. No text ever becomes markup.

const LONG = 20000; // Characters above which a text is shown without sentences and marks; as LONG in conversations.py.
const FOLDED = 3000; // Characters of a long text that are shown at first.
const UNLIKE = 1 / 3; // Likeness below which words that two texts share by chance are not common.
const CELLS = 4e6; // Pairs of words above which no differences are looked for: 2,000 words against 2,000.

const make = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
};
const count = (number) => number.toLocaleString("en");
const shorten = (text, most) => (text.length > most ? `${[...text.slice(0, 2 * most)].slice(0, most - 1).join("")}…` : text);
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

// ------------------------------------------------------------------------------------------------------ shared words

// Scripts without spaces between words: each letter counts as a word there.
const WORD = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|\p{N}+(?:[.,:]\p{N}+)*|[\p{L}\p{M}\p{N}]+/gu;
const COMMON = new Set(
  ("a about after again all also am an and any are as ask asked asks at be because been before being both but by can could customer agent "
  + "did do does doing done for from get gets got had has have having he her hers him his how i if in into is it its just me more my "
  + "no not now of off on once one or other our out over own said says she should so some such than that the their them then there "
  + "these they this those to too told tells up us very was we were what when where which while who will with would yes you your").split(" "));
const unspaced = /^[\u0e00-\u9fff]$/;
// An ending is cut off so that `refunds` and `refunded` are one word. This is cruder than a stemmer, and needs no table.
const stem = (word) => {
  const cut = word.replace(/(?:ies|ing|ed|es|s|y|e)$/, "");
  return cut.length >= 3 ? cut : word;
};
const contentWords = (text) => {
  const found = new Map(); // stem → the places of its words
  for (const { 0: word, index } of text.matchAll(WORD)) {
    const low = word.toLowerCase();
    if (COMMON.has(low) || (low.length < 3 && !/\p{N}/u.test(low) && !unspaced.test(low))) continue;
    const key = stem(low);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push([index, index + word.length]);
  }
  return found;
};

// The turns that share most content words with a sentence: at most three, each with a quarter of the sentence's words
// or more, and with at least half as many as the best. Shared words show where to read; they prove nothing.
const findSupport = (sentence, turns) => {
  const wanted = [...contentWords(sentence).keys()];
  const shared = turns.map((words) => wanted.filter((word) => words.has(word)));
  const best = Math.max(0, ...shared.map((words) => words.length));
  const order = shared.map((words, place) => ({ place, words }))
    .filter(({ words }) => words.length && words.length >= wanted.length / 4 && words.length >= best / 2)
    .sort((one, other) => other.words.length - one.words.length || one.place - other.place)
    .slice(0, 3);
  const anywhere = new Set(shared.flat());
  return { wanted, order, nowhere: wanted.filter((word) => !anywhere.has(word)) };
};

// ------------------------------------------------------------------------------------------------------- differences

const splitWords = (text) => [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => ({
  key: word.toLowerCase().replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "") || word,
  start: index,
  end: index + word.length,
}));

const joinRanges = (words, common, kind) => {
  const ranges = [];
  words.forEach((word, place) => {
    if (common[place]) return;
    const last = ranges[ranges.length - 1];
    if (last && place && !common[place - 1]) last.end = word.end;
    else ranges.push({ start: word.start, end: word.end, kind });
  });
  return ranges;
};

// Where two texts have little in common, words such as `the` or `is` stand in both by chance: a run of fewer than three
// of them says nothing, and is not common. `places` holds the places of the common words, in pairs.
const dropChance = (words, places, inOne, inTwo) => {
  const says = (key) => !COMMON.has(key) && (key.length > 2 || /\p{N}/u.test(key) || unspaced.test(key));
  for (let from = 0; from < places.length;) {
    let to = from + 1;
    while (to < places.length && places[to][0] === places[to - 1][0] + 1 && places[to][1] === places[to - 1][1] + 1) to += 1;
    const run = places.slice(from, to);
    if (run.length < 3 && !run.some(([place]) => says(words[place].key))) for (const [one, two] of run) inOne[one] = inTwo[two] = false;
    from = to;
  }
};

// The longest common subsequence of words: what only one of two texts has, their likeness from 0 to 1, and the share of
// words that is shown as common. null where the texts are too long to compare.
const compareWords = (before, after) => {
  if (before.length > 40 * FOLDED || after.length > 40 * FOLDED) return null;
  const [one, two] = [splitWords(before), splitWords(after)];
  let head = 0;
  while (head < one.length && head < two.length && one[head].key === two[head].key) head += 1;
  let tail = 0;
  const left = () => Math.min(one.length, two.length) - head - tail;
  while (left() > 0 && one[one.length - 1 - tail].key === two[two.length - 1 - tail].key) tail += 1;
  const [rows, columns] = [one.length - head - tail, two.length - head - tail];
  if (rows * columns > CELLS) return null;
  const width = columns + 1;
  const longest = new Uint16Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      const at = row * width + column;
      longest[at] = one[head + row].key === two[head + column].key
        ? longest[at + width + 1] + 1
        : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const inOne = one.map((_, place) => place < head || place >= one.length - tail);
  const inTwo = two.map((_, place) => place < head || place >= two.length - tail);
  const places = Array.from({ length: head }, (_, place) => [place, place]);
  for (let row = 0, column = 0; row < rows && column < columns;) {
    const at = row * width + column;
    if (one[head + row].key === two[head + column].key) {
      inOne[head + row] = inTwo[head + column] = true;
      places.push([head + row, head + column]);
      row += 1;
      column += 1;
    } else if (longest[at + width] >= longest[at + 1]) row += 1;
    else column += 1;
  }
  for (let place = tail; place > 0; place -= 1) places.push([one.length - place, two.length - place]);
  const total = one.length + two.length;
  const likeness = total ? (2 * (head + tail + longest[0])) / total : 1;
  if (likeness < UNLIKE) dropChance(one, places, inOne, inTwo);
  return {
    removed: joinRanges(one, inOne, "del"),
    added: joinRanges(two, inTwo, "ins"),
    likeness,
    shared: total ? (2 * inTwo.filter(Boolean).length) / total : 1,
  };
};

// ------------------------------------------------------------------------------------------------- texts as elements

// Ranges are {start, end, kind, title}; kind is the element's name. Where they overlap, elements lie inside each other.
const paintRanges = (text, from, to, ranges) => {
  const cuts = [...new Set([from, to, ...ranges.flatMap(({ start, end }) => [start, end])])]
    .filter((place) => place >= from && place <= to)
    .sort((one, other) => one - other);
  return cuts.slice(0, -1).map((start, place) => {
    let piece = document.createTextNode(text.slice(start, cuts[place + 1]));
    for (const range of ranges) {
      if (range.start <= start && range.end >= cuts[place + 1]) {
        piece = make(range.kind, { title: range.title, class: range.class }, piece);
      }
    }
    return piece;
  });
};

const makeChunks = (text) => {
  // Blocks that the browser lays out only where they are seen: one word of a million letters takes it seconds.
  const chunks = [];
  for (let at = 0; at < text.length;) {
    let end = Math.min(text.length, at + 5000);
    if (end < text.length) {
      const space = text.slice(end - 500, end).search(/\s\S*$/);
      if (space >= 0) end = end - 500 + space + 1;
      else if (/[\ud800-\udbff]/.test(text[end - 1])) end -= 1;
    }
    chunks.push(make("span", { class: "talk-chunk" }, text.slice(at, end)));
    at = end;
  }
  return chunks;
};

// Fill an element with a text; a long one is cut, with a button that shows the rest.
const fillText = (element, text) => {
  if (text.length <= FOLDED) {
    element.textContent = text;
    return element;
  }
  const cut = /[\ud800-\udbff]/.test(text[FOLDED - 501]) ? FOLDED - 501 : FOLDED - 500;
  const more = make("button", {
    type: "button",
    class: "talk-more",
    onclick: () => {
      element.replaceChildren(...(text.length <= LONG ? [text] : makeChunks(text)));
      element.tabIndex = -1;
      element.focus({ preventScroll: true });
    },
  }, `Show all ${count(text.length)} characters`);
  element.replaceChildren(`${text.slice(0, cut)}… `, more);
  return element;
};
