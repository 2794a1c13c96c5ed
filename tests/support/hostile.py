"""Conversations that a page must show as what they are: text. Some attack it, some are only odd, some are very large.

Whatever runs as a script sets `CANARY`; what becomes an element matches `FOREIGN`.
"""

from __future__ import annotations

from liftbench.records.conversation import Conversation, Scalar, Turn

CANARY = "window.canary"
RUN = f"{CANARY}=1"

FOREIGN = (
    "img, iframe, object, embed, video, link, base, form, template[data-attack], math, b, #attack, "
    "[onload], [onerror], [onclick], [onfocus], [ontoggle], [href^='javascript' i], [style*='display']"
)
"""Elements that no page of ours has."""

ATTACKS = {
    "ends the script": f"</script><script>{RUN}</script>",
    "ends it with a space": f"</SCRIPT ><script>{RUN}</script >",
    "hides the end": f"<!--<script>{RUN}",
    "hides and ends": f"<!--<script>-->{RUN}</script><!--",
    "image": f"<img src=x onerror='{RUN}'>",
    "image from afar": "<img src=https://x.example/a.png srcset='//x.example/b 2x'>",
    "vector image": f"<svg/onload={RUN}><script>{RUN}</script></svg>",
    "address": f"javascript:{RUN}",
    "link": f"<a id=attack href='javascript:{RUN}'>click</a>",
    "frame": f"<iframe srcdoc='<script>parent.canary=1</script>' onload='{RUN}'></iframe>",
    "attribute": f"\" onfocus={RUN} autofocus tabindex=0 x='",
    "attribute in apostrophes": f"' onclick='{RUN}' x=\"",
    "style": "</style><style>*{display:none!important}</style><b style='display:none'>",
    "ends everything": f"]]></textarea></title></details></template></main><b onclick={RUN}>x</b>",
    "redirect": "<meta http-equiv=refresh content='0;url=https://x.example/'><base href=//x.example>",
    "entity": "&lt;script&gt; &amp;amp; &#60;b&#62; &nbsp;&notanentity;",
    "template": "{{ 7 * 7 }} {% raw %} ${7*7} #{7*7} <%= 7*7 %>",
    "escape": '\\u003c/script\\u003e \\" \\\\ \\n \\x3cb\\x3e',
    "separators of lines": f"before\u2028{RUN}\u2029after",
    "property": "__proto__",
    "another property": "constructor",
    "pattern": "(a+)+$ [ ( * \\ ^.*",
    "replacement": "$& $1 $` $' $$",
    "mathematics": "<math><mtext><table><mglyph><style><img src=x onerror=" + RUN + ">",
}

ODD = {
    "overrides": "abc \u202e 123 txt.exe \u202c def \u202d ghi",
    "an override without an end": "order \u202e 54321 evil",
    "embeddings": "x \u202b a1 \u202a b2 \u202c c3",
    "isolates": "x \u2067 a1 \u2066 b2 \u2068 c3 \u2069",
    "marks": "\u200e12\u200f-\u061c34",
    "Hebrew": "שלום, ההזמנה 12345 שלי לא הגיעה (USB-C).",
    "Arabic": "مرحبا، لم يصل طلبي رقم ٤٥٦ 789!",
    "both ways": "Order 42 של ‏ABC‏ is مفقود, 3 days.",
    "families": "👩‍👩‍👧‍👦 👩🏽‍🚀 🏳️‍🌈 🇩🇪 1️⃣ ❤️‍🔥",
    "stacked marks": "Z" + "\u0300\u0316\u0489" * 20 + "algo",
    "controls": "a\x01b\x02c\x07d\x08e\x0bf\x0cg\x1bh\x7fi\x85j\x9bk",
    "nothing in it": "null\x00null",
    "terminal": "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "no width": "a\u200bb\u200cc\u200dd\ufeffe\u2060f\u00adg",
    "no characters": "\ufffe\uffff\U0001fffe \ufffd",
    "private": "\ue000\U000f0000",
    "lines": "one\r\ntwo\rthree\n\n\nfour\tfive",
    "Chinese": "订单丢了，请帮忙。謝謝！ 日本語ですか。",
    "empty": "",
    "spaces": " \t\n ",
}

LONG_TURN = 1_000_000
LONG_WORD = 100_000
MANY_TURNS = 1_000

ALIKE = ("Case", "case", "CASE", "caf\u00e9", "cafe\u0301", "a b", "a%20b", "a+b", "a#b", "../a", "a/b?c=d", "%", "#")
"""Ids that differ by case, by normalization, or by what an address makes of them."""


def hostile_conversations() -> list[Conversation]:
    """One conversation for each text, which stands in all of its fields, and the large ones."""
    texts = [*ATTACKS.values(), *ODD.values()]
    written = [_about(text or "empty", text, number) for number, text in enumerate(texts)]
    written += [_about(id_, f"My order {id_} has not arrived.", 0) for id_ in ALIKE]
    large = {
        "long turn": _conversation("long turn", ["The parcel is lost. " * (LONG_TURN // 20), "Sorry."]),
        "long word": _conversation("long word", ["x" * LONG_WORD, "Sorry about " + "y" * LONG_WORD]),
        "many turns": _conversation("many turns", [f"Turn {number} of many." for number in range(MANY_TURNS)]),
        "no words": _conversation("no words", ["", " "], references=("",)),
        "no references": _conversation("no references", ["Hello.", "Hi."], references=()),
    }
    return [*written, *large.values()]


def hostile_summaries(conversations: list[Conversation]) -> list[str]:
    """A summary of each conversation that holds its first reference; one is a very long word."""
    return [
        "y" * LONG_WORD if one.id == "long word" else f"An order: {(one.references or ('',))[0]}"
        for one in conversations
    ]


def _about(id_: str, text: str, number: int) -> Conversation:
    metadata: dict[str, Scalar] = {
        "company": text or None,
        text[:200] or "none": "constructor",
        "__proto__": "x",
        "turns": number,
    }
    return Conversation(
        id=f"{id_} {number}" if number else id_,
        turns=(
            Turn(role="customer", text=text),
            Turn(role=text or "agent", text=f"You wrote: {text}"),
            Turn(role="agent", text="Sorry about the order."),
        ),
        references=(text, f"Customer asks about an order: {text}"),
        metadata=metadata,
    )


def _conversation(
    id_: str, turns: list[str], references: tuple[str, ...] = ("Customer asks about an order.",)
) -> Conversation:
    return Conversation(
        id=id_,
        turns=tuple(Turn(role="agent" if at % 2 else "customer", text=text) for at, text in enumerate(turns)),
        references=references,
        metadata={"company": "beta"},
    )
