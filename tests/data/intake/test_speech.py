from __future__ import annotations

import time

import pytest

from liftbench.data.cleaning import clean_turn
from liftbench.data.intake.assembly import conversations
from liftbench.data.intake.columns import Columns
from liftbench.data.intake.speech import spoken
from liftbench.data.intake.tables import Row
from liftbench.data.intake.tally import Tally

WATER = "The water bill is too high."


def say(text: str, **options: bool) -> tuple[str, str]:
    """What a message says, as a model is given it, and what was noted."""
    tally = Tally()
    return clean_turn(spoken(text, tally, "c1", **options)), " | ".join(tally.report().notes)


# ------------------------------------------------------------------------------------------------------------ HTML


@pytest.mark.parametrize(
    ("html", "words"),
    [
        (
            "<!DOCTYPE html><html><head><title>Mail</title><style>p.MsoNormal{margin:0}</style></head><body>"
            '<!-- start --><p class="MsoNormal">The oven&nbsp;door <o:p></o:p>sticks.</p><script>t()</script></body>',
            "The oven door sticks.",
        ),
        (
            "<section>Use &lt;Settings&gt; if x < 5 and y > 3.<br/>Bye</section>",
            "Use <Settings> if x < 5 and y > 3. Bye",
        ),
        ("<style><!-- p{a:b} --></style><p>Hello<p>World", "Hello World"),
        (
            "<p>Hi</p><!--[if mso]><table><tr><td>no</td></tr></table><![endif]--><![if !mso]><b>Yes</b><![endif]>",
            "Hi Yes",
        ),
        ('<div style="display:none">A preview <br></div><table><tr><td>a</td><td>b</td></tr></table>', "a b"),
        ("&lt;p&gt;The lamp&lt;/p&gt;&lt;style&gt;p{}&lt;/style&gt;", "The lamp"),
        ("<html><head><meta charset=utf-8><p>No head ends</p></html>", "No head ends"),
        ('<div style="display:none">never closed<p>Real words', "never closed Real words"),
        ("<ul><li>one<li>two</ul>", "one two"),
        (
            "It is late. <style type='text/css'>.x {color: red}</style> Please <!-- id: 5 --> help.",
            "It is late. Please help.",
        ),
        ('<p>Good <img alt="😀" src="x"><img alt="Logo" src="y"></p>', "Good 😀"),
        ("<p>un<b>usual</b>ly <svg><title>icon</title><text>x</text></svg>high</p>", "unusually high"),
        ("<p>Terms:</p><blockquote>Money back within thirty days<br>of the day you bought it</blockquote>", None),
    ],
)
def test_html_becomes_the_words_that_are_seen(html: str, words: str | None) -> None:
    assert say(html)[0] == (words or "Terms: Money back within thirty days of the day you bought it")


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d, I <3 you </3",
        "Write to <john@example.org> or see <LINK>, <USER>",
        "It returns List<String> and Map<K, V>",
        "<order><id>4</id><title>Lamp</title></order>",
        "I put <script>track()</script> in my footer",
        "Does the <style> element work? <style>p{}</style>",
    ],
)
def test_what_only_resembles_html_is_text(text: str) -> None:
    assert say(text) == (text, "")


def test_what_resembles_a_tag_stays_in_html() -> None:
    said, _ = say("<p>Mail <john@x.org> at <TIME>, see <LINK>; List<String> x</String> </3 I <!5 you a<5</p><br>")
    assert said == "Mail <john@x.org> at <TIME>, see <LINK>; List<String> x</String> </3 I <!5 you a<5"
    assert say("I removed the <script> tag<br>and it works")[0] == "I removed the <script> tag and it works"


def test_unseen_parts_are_told() -> None:
    _, notes = say("<p>a</p><script>x</script><!-- y -->")
    assert "unseen parts of HTML (<script>, comments), left out: 1 (c1)" in notes


# ----------------------------------------------------------------------------------------------------------- Excel


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("My tap drips._x000D_\nSince noon._x000d_", "My tap drips. Since noon."),
        ("a_x000A_b_x0009_c", "a b c"),
        ("the text _x005F_x000D_ is Excel's", "the text _x000D_ is Excel's"),
        ("_x0041_ and my_x000_name stay", "_x0041_ and my_x000_name stay"),
        ("We come.\\nTomorrow at 9.\\r\\nBye", "We come. Tomorrow at 9. Bye"),
        ("See C:\\new\\Notes and \\\\desk\\Names", "See C:\\new\\Notes and \\\\desk\\Names"),
        ("the pattern \\name", "the pattern \\name"),
    ],
)
def test_escapes_of_programs(text: str, words: str) -> None:
    assert say(text)[0] == words


# ---------------------------------------------------------------------------------------------------------- quotes


@pytest.mark.parametrize(
    "history",
    [
        "On Mon, 3 Mar 2025 at 09:00, P. <p@example.org> wrote:\n> Hello,\n>\n> P.",
        "On Mon, 3 Mar 2025 at 09:00, Petra Long Name\n<p@example.org> wrote:\n\nHello, without a mark",
        "> On 3 Mar 2025, at 09:00, Ann wrote:\n> \n> Hello",
        "On Mar 3, 2025, Ann Lee wrote:\n> Hello",
        "Am Mo., 3. März 2025 um 09:00 Uhr schrieb P. <p@example.org>:\n> Hallo",
        "Le lun. 3 mars 2025 à 09:00, P. <p@example.org> a écrit :\n> Bonjour",
        "El lun, 3 mar 2025 a las 9:00, P. (<p@example.org>) escribió:\n> Hola",
        "Il giorno lun 3 mar 2025 alle ore 09:00 P <p@example.org> ha scritto:\n\nCiao",
        "Op ma 3 mrt 2025 om 09:00 schreef P <p@example.org>:\n> Hoi",
        "2025-03-03 9:00 GMT+01:00 P <p@example.org>:\n> Hello my friend at last\n> P",
        "пн, 3 мар. 2025 г. в 09:00, P <p@example.org>:\n\n> Привет",
        "Am 03.03.2025 um 09:00 schrieb Petra Müller:\n\nHallo ohne Zeichen",
        "W dniu 3.03.2025 o 09:00, P <p@example.org> pisze:\n> Cześć",
        "-----Original Message-----\nFrom: Desk\nSent: Monday\n\nHello",
        "-----Ursprüngliche Nachricht-----\nVon: Desk\n\nHallo",
        "________________________________\nFrom: Desk <desk@example.org>\nSent: Monday, March 3, 2025\nTo: P.\n"
        "Subject: Re: bill\n\nHello",
        "*Von:* Desk <desk@example.org>\n*Gesendet:* Montag, 3. März 2025\n*An:* P.\n*Betreff:* AW: Wasser\n\nHallo",
        "De : Desk\nEnvoyé : lundi 3 mars 2025 10:00\nÀ : P.\nObjet : RE: eau\n\nBonjour",
        "De: Desk\nEnviado el: lunes, 3 de marzo de 2025 10:00\nPara: P.\nAsunto: RE: agua\n\nHola",
        "Ann <ann@example.org>, 3 Mar 2025 Pzt, 10:00 tarihinde şunu yazdı:\n> Merhaba",
        "Ann <ann@example.org> ezt írta (időpont: 2025. márc. 3., H, 10:00):\n> Szia",
        "2025년 3월 3일 (월) 오전 10:00, Ann <ann@example.org>님이 작성:\n> 안녕",
        "\u202bבתאריך יום ב׳, 3 במרץ 2025 ב-10:00 מאת \u202aAnn\u202c <\u202aann@example.org\u202c>:\u202c\n> שלום",
        "Quoting Ann <ann@example.org>:\n\n> Hello",
        "From: Ann Lee\nDate: Monday, 3 March 2025\nTo: Desk\nSubject: Water\n\nHello",
        "##- Please type your reply above this line -##\nYour request was updated",
    ],
)
def test_quoted_history_is_cut_and_told(history: str) -> None:
    for gap in ("\n\n", "\r\n"):
        said, notes = say(f"{WATER}{gap}{history}")
        assert said == WATER
        assert notes == "messages with quoted history, which was cut (--keep-quotes keeps it): 1 (c1)"
    said, notes = say(f"{WATER}\n\n{history}", keep_quotes=True)
    assert (said, notes) == (clean_turn(f"{WATER}\n\n{history}"), "")


@pytest.mark.parametrize(
    "history",
    [
        "On Mon, 3 Mar 2025 at 09:00, P. <p@example.org> wrote: > Hello > P.",
        "Am Mo., 3. März 2025 um 09:00 Uhr schrieb P. <p@example.org>: Hallo",
        "-----Original Message----- From: Desk Hello",
        "From: Desk Sent: Monday, March 3, 2025 10:00 AM To: P. Subject: Re: bill Hello",
    ],
)
def test_quoted_history_without_line_breaks_is_cut(history: str) -> None:
    assert say(f"{WATER} {history}")[0] == WATER


@pytest.mark.parametrize(
    "text",
    [
        "Change the route.\nFrom: Berlin\nTo: Paris\nDate: 3 May\nThat would help me.",
        "Change it.\nVon: Berlin\nAn: Paris\nDatum: 3. Mai\nDanke!",
        "On Monday you wrote:\nThe refund comes.\nIt has not come.",
        "On 3 March 2025 at 10:15 you wrote:\nThe refund comes.\nIt has not come.",
        "I called Ann <ann@example.org> at 10:00:\nshe has not answered",
        "My brother wrote a letter: please read it.\nHe wrote: no.",
        "Go to\n> Settings\n> Network\nand press OK.",
        "> 5 kg is too heavy, and\na > b",
        "It is\n--------\nquite long -- and - dashed",
        "My address is p@example.org\nFrom: me",
        "Here is the list:\n2025-03-03 wrote to Ann <ann@example.org>\nno answer\n2025-03-04 called\nno answer",
        "Am 3. März um 10:15 schrieb mir Ihr Kollege:\nDas Geld kommt.\nEs kam nicht.",
        "Kind regards\n-- \nP.\nThis message is confidential: do not pass it on to p@example.org",
    ],
)
def test_what_only_resembles_a_quote_is_speech(text: str) -> None:
    assert say(text) == (clean_turn(text), "")


def test_answers_between_quotes_stay() -> None:
    said, _ = say(
        "On Mon, 3 Mar 2025, A <a@b.co> wrote:\n> When did it start?\nYesterday.\n> Which lamp?\nThe big one."
    )
    assert said == "Yesterday. The big one."
    assert say("> When did it start?\nYesterday.\n> Which?\nThe big one.")[0] == "Yesterday. The big one."


def test_what_is_only_history_or_forwarded_is_kept_and_told() -> None:
    only = "On Mon, 3 Mar 2025, A <a@b.co> wrote:\n> When did it start?"
    said, notes = say(only)
    assert (said, notes) == (clean_turn(only), "messages that seem to be nothing but quoted history, kept: 1 (c1)")
    forwarded = (
        "See below.\n---------- Forwarded message ---------\nFrom: A <a@b.co>\nDate: 3 Mar\nTo: y\n\nThe flight is off."
    )
    said, notes = say(forwarded)
    assert (said, notes) == (clean_turn(forwarded), "messages with a forwarded mail, kept: 1 (c1)")


def test_quotes_of_html_mail_are_cut() -> None:
    gmail = (
        '<div dir="ltr">Here it is.</div><br><div class="gmail_quote"><div>On Mon, 3 Mar 2025 at 09:00, '
        'P. &lt;<a href="mailto:p@example.org">p@example.org</a>&gt; wrote:<br></div><blockquote class="gmail_quote">'
        "Hello<br>there</blockquote></div><p>And below.</p>"
    )
    assert say(gmail)[0] == "Here it is. And below."
    outlook = (
        '<p class="MsoNormal">Here it is.</p><div style="border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> Desk '
        "&lt;desk@example.org&gt;<br><b>Sent:</b> Monday<br><b>To:</b> P.<br><b>Subject:</b> Re: bill</p></div><p>x</p>"
    )
    assert say(outlook)[0] == "Here it is."


# ---------------------------------------------------------------------------------------------------------- import


def test_messages_lists_and_references_are_read_alike() -> None:
    mail = f"<p>{WATER}</p><style>p{{}}</style>\n\nOn 3 Mar 2025 at 9:00, P <p@e.org> wrote:<br>&gt; Hello"
    rows = [
        Row(number=1, values={"id": "a", "who": "customer", "text": mail, "sum": "<p>High.</p><style>x</style>"}),
        Row(number=2, values={"id": "a", "who": "agent", "text": "<style>x{}</style>", "sum": ""}),
    ]
    tally = Tally()
    [one] = conversations(rows, Columns(id="id", speaker="who", text="text", references=("sum",)), tally)
    assert [(turn.role, turn.text) for turn in one.turns] == [("customer", WATER)]
    assert one.references == ("High.",)
    assert [item.reason for item in tally.report().left_out] == ["no text"]
    chat = [
        Row(number=1, values={"m": [{"role": "user", "content": mail}, {"role": "assistant", "content": "ok_x000D_"}]})
    ]
    [two] = conversations(chat, Columns(messages="m"))
    assert [turn.text.strip() for turn in two.turns] == [WATER, "ok"]
    [three] = conversations(chat, Columns(messages="m", keep_quotes=True))
    assert three.turns[0].text.endswith("> Hello")


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<!--",
        "<p>",
        "<a ",
        "&lt;p",
        "a@",
        "From: a ",
        "wrote ",
        "> a b c d\n",
        "On x\n",
        "From: x@y.z\n",
        "on 1 wrote b:\n",
    ],
)
def test_long_messages_take_linear_time(piece: str) -> None:
    began = time.process_time()
    spoken(piece * 10_000 + ">", Tally())
    assert time.process_time() - began < 3
