from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from liftbench.curation.exports import has_broken_characters, has_quoted_history, is_contained, is_training_row
from liftbench.curation.findings import KINDS, SHOWN, DataFinding, mask
from liftbench.curation.inspection import LANGUAGES_SAMPLED, Inspection, TokenCounter, inspect
from liftbench.curation.partition import plan_partition
from liftbench.curation.split_report import Spread, spread
from liftbench.curation.suspicions import main_script
from liftbench.data.splits import training_split
from liftbench.errors import UsageError
from liftbench.files import write_lines
from liftbench.metrics.rouge import rouge1, rougeL
from liftbench.privacy.personal import find
from liftbench.progress import no_progress
from liftbench.records.conversation import Conversation, Turn
from liftbench.text.words import words

CUSTOMER = "My parcel has not come although it was promised for Monday, and nobody answers my calls."
AGENT = "I am sorry for that. The parcel is at the depot and will be with you on Thursday morning."
SUMMARY = "The customer misses a parcel. The agent promises it for Thursday."


def marked(text: str, id_: str) -> str:
    """The text with the id after every third word, so that it shares no five words in a row with another's."""
    words = text.split()
    return " ".join(" ".join([*words[n : n + 3], id_]) for n in range(0, len(words), 3))


def conversation(id_: str, *texts: str, references: tuple[str, ...] = (SUMMARY,), **metadata: str) -> Conversation:
    """Turns of customer and agent in turns, like those of no other id."""
    turns = tuple(
        Turn(role="agent" if number % 2 else "customer", text=marked(text, id_))
        for number, text in enumerate(texts or (CUSTOMER, AGENT))
    )
    return Conversation(
        id=id_, turns=turns, references=tuple(marked(text, id_) for text in references), metadata={**metadata}
    )


def marked_as(id_: str, mark: str) -> Conversation:
    """A conversation with an id of another one, and words of its own."""
    return replace(conversation(mark), id=id_)


def look(folder: Path, tokens: TokenCounter | None = None, **splits: list[Conversation]) -> Inspection:
    for name, rows in splits.items():
        write_lines(folder / f"{name}.jsonl", rows)
    return inspect(folder, sorted(folder.glob("*.jsonl")), [rouge1(), rougeL()], tokens, find, no_progress)


def found(inspection: Inspection) -> dict[str, DataFinding]:
    return {finding.kind: finding for finding in inspection.findings}


def test_good_conversations_have_no_findings(tmp_path: Path) -> None:
    inspection = look(
        tmp_path, train=[conversation("a"), conversation("b", references=(SUMMARY, "Another one of it."))]
    )
    assert inspection.findings == ()
    assert not inspection.faulty
    (train,) = inspection.splits
    assert (train.name, train.conversations, train.references) == ("train", 2, {1: 1, 2: 1})
    assert train.roles == {"customer": 2, "agent": 2}
    assert train.turns == Spread(p50=2, p95=2, max=2)
    assert train.tokens is None
    assert inspection.scripts == {"Latin": 2}
    assert inspection.languages == {"en": 2}


def test_references_whose_words_are_split_are_one_finding_a_file(tmp_path: Path) -> None:
    czech = conversation("x", references=("Zákazník si stěžuje, že zásilka dosud nedorazila.",))
    train = [conversation(f"t{number}") for number in range(9)]
    finding = found(look(tmp_path, train=train, validation=[czech]))["misread references"]
    assert (finding.severity, finding.count, finding.splits) == ("warning", 1, {"validation": 1})
    assert "4 of the 10 words of the references (40%) lose letters" in finding.examples[0]


BAD = {
    "no references": Conversation(id="x", turns=conversation("x").turns),
    "no words": Conversation(id="x", turns=(Turn(role="agent", text="\u200b"),), references=(SUMMARY,)),
    "invisible references": conversation(
        "x",
        "Где моя посылка? Она должна была прийти в понедельник.",
        "Она будет в среду.",
        references=("Клиент ждёт свою посылку.",),
    ),
    "placeholder reference": Conversation(id="x", turns=conversation("x").turns, references=("N/A",)),
    "short reference": Conversation(id="x", turns=conversation("x").turns, references=("Parcel late.",)),
    "long reference": conversation("x", "Parcel?", "Thursday."),
    "copied reference": conversation("x", references=(CUSTOMER,)),
    "contained reference": Conversation(
        id="x",
        turns=(conversation("x").turns[0], Turn(role="agent", text=f"Internal wrap-up: {SUMMARY} Bye now.")),
        references=(SUMMARY,),
    ),
    "training row": Conversation(
        id="x",
        turns=(
            Turn(role="user", text="Summarize:\nCustomer: my lamp is broken\nAgent: we will send a new one on Monday"),
            Turn(role="assistant", text="The lamp of the customer is broken, and the agent sends one."),
        ),
        references=("A broken lamp is replaced.",),
    ),
    "quoted history": Conversation(
        id="x",
        turns=(
            *conversation("x").turns,
            Turn(role="customer", text="Yes.\n\nOn Mon, 3 Mar 2025, Desk wrote:\n> Is it?"),
        ),
        references=(SUMMARY,),
    ),
    "broken characters": Conversation(
        id="x", turns=(*conversation("x").turns, Turn(role="customer", text="GrÃ¼ÃŸe aus KÃ¶ln")), references=(SUMMARY,)
    ),
    "reference in another script": conversation(
        "икс", "Где моя посылка? Она должна была прийти в понедельник, и никто не отвечает.", "Она будет в среду."
    ),
    "one turn": conversation("x", CUSTOMER + " " + AGENT),
    "other speakers": Conversation(
        id="x", turns=(*conversation("x").turns, Turn(role="system", text="Chat ended.")), references=(SUMMARY,)
    ),
    "personal data: EMAIL": conversation("x", CUSTOMER + " Write to jane@example.com please.", AGENT),
}


@pytest.mark.parametrize("kind", BAD)
def test_each_finding(kind: str, tmp_path: Path) -> None:
    inspection = look(tmp_path, validation=[conversation("a"), BAD[kind], conversation("b")])
    finding = found(inspection)[kind]
    assert (finding.count, finding.splits) == (1, {"validation": 1})
    assert finding.advice
    assert finding.severity == KINDS[kind].severity
    assert inspection.faulty is (finding.severity == "error")
    assert set(found(inspection)) == {kind}


@pytest.mark.parametrize(
    ("reference", "turn", "contained"),
    [
        ("The lamp is broken and a new one comes.", "note: THE LAMP IS BROKEN, and a new one comes - bye", True),
        (
            "The customer says that the lamp is broken, and the agent promises to send a new one on Friday.",
            "Customer says that the lamp is broken, and the agent promises to send a new one on Friday",
            True,
        ),
        ("The lamp does not work", "Hello. The lamp does not work since Monday.", False),
        (
            "The customer has a broken lamp and gets another.",
            "My lamp is broken. Can I get another? I have a box.",
            False,
        ),
        ("The lamp is broken and a new one comes.", "", False),
    ],
)
def test_a_reference_that_a_turn_contains(reference: str, turn: str, contained: bool) -> None:
    assert is_contained(words(reference), [words("Good morning."), words(turn)]) is contained


@pytest.mark.parametrize(
    ("references", "titles"),
    [
        (("Printer does not print", "Invoice shows wrong amount"), 2),
        (("Password reset for Outlook", "Lamp is broken again", "The customer could not log in, and was helped."), 2),
        (("The printer does not print.", "The invoice is wrong."), 0),
        (("Printer does not print", "The invoice is wrong.", "The lamp is broken."), 0),
        (("The customer asks why the invoice is wrong and the agent promises to look into it by Monday",) * 2, 0),
    ],
)
def test_references_like_titles_are_told_where_most_are(
    references: tuple[str, ...], titles: int, tmp_path: Path
) -> None:
    rows = [replace(conversation(f"c{n}"), references=(text,)) for n, text in enumerate(references)]
    finding = found(look(tmp_path, train=rows)).get("titles")
    assert (finding.count if finding else 0) == titles


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Summarize the conversation: Customer: my lamp is broken Agent: we will send a new one", True),
        ("Amanda: I baked cookies\nJerry: Sure!\nAmanda: I'll bring some", True),
        ("#Person1#: Hi. #Person2#: Hello, Mr Smith.", True),
        ("[user]: lost card [assistant]: we block it", True),
        ("Hi, the agent said: wait. Order: 12, Address: here", False),
        ("Customer: me. I wait for your answer.", False),
    ],
)
def test_a_transcript_within_a_turn(text: str, row: bool) -> None:
    one = Conversation(id="x", turns=(Turn(role="user", text=text), Turn(role="assistant", text="A broken lamp.")))
    assert is_training_row(one) is row


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("Yes.\n-----Original Message-----\nFrom: a", True),
        ("Danke.\n\nAm 03.03.2025 um 10:00 schrieb Wasserwerk <x>:\n> Foto?", True),
        ("Yes.\n> Is it red?\n> Or blue?", True),
        ("Here. From: Water Desk Sent: Monday To: me Subject: Your bill", True),
        ("On Monday I wrote to you, and nothing came.", False),
        ("It costs > 5 euros. 3 > 2", False),
        ("The bus goes from: Leeds to: York", False),
    ],
)
def test_quoted_history(text: str, quoted: bool) -> None:
    assert has_quoted_history(text) is quoted


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("GrÃ¼ÃŸe", True),
        ("itâ€™s late", True),
        ("5 Â£ and 20 Â°C", True),
        ("caf\ufffd", True),
        ("Ð¿Ñ€Ð¸", True),
        ("ï»¿Hello", True),
        ("IRMÃ”, naïve", False),
        ("Grüße, it’s 5 £, SÃO PAULO, Âge, Где", False),
    ],
)
def test_characters_that_were_decoded_wrongly(text: str, broken: bool) -> None:
    assert has_broken_characters(text) is broken


def test_one_speaker_after_merging_is_one_turn(tmp_path: Path) -> None:
    alone = Conversation(
        id="x", turns=(Turn(role="user", text=CUSTOMER), Turn(role="Customer", text=AGENT)), references=(SUMMARY,)
    )
    inspection = look(tmp_path, train=[alone])
    assert set(found(inspection)) == {"one turn"}
    assert inspection.splits[0].cleaned == 1


def test_before_the_split_missing_references_are_no_error(tmp_path: Path) -> None:
    bare = Conversation(id="x", turns=conversation("x").turns)
    inspection = look(tmp_path, conversations=[conversation("a"), bare])
    assert found(inspection)["no references"].severity == "warning"
    assert not inspection.faulty
    assert found(look(tmp_path, conversations=[bare]))["no summaries"].severity == "error"


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    inspection = look(tmp_path, train=[conversation("a")], test=[])
    assert found(inspection)["empty file"].examples == ("test",)
    assert inspection.faulty
    assert inspection.splits[0].words == Spread(p50=0, p95=0, max=0)


def test_a_malformed_line_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"id": "a"}\n', "utf-8")
    with pytest.raises(UsageError, match=r"train\.jsonl, line 1: "):
        look(tmp_path)


def test_duplicates_within_and_across_splits(tmp_path: Path) -> None:
    text = " ".join(f"w{n}" for n in range(60))

    def long(id_: str, text: str, **metadata: str) -> Conversation:
        turns = (Turn(role="customer", text=text), Turn(role="agent", text="Thank you, we will look into it."))
        return Conversation(id=id_, turns=turns, references=(f"{SUMMARY} {id_}",), metadata={**metadata})

    inspection = look(
        tmp_path,
        train=[
            long("a", text, cluster="ann"),
            long("near", text.replace("w30", "other")),
            long("copy", text.upper()),
            long("own", text.replace("w", "v"), cluster="bob"),
        ],
        validation=[
            long("across", text),
            long("stranger", text.replace("w", "u"), cluster=" BOB "),
            long("own", "Hello"),
        ],
    )
    findings = found(inspection)
    assert findings["duplicates across splits"].splits == {"train": 2, "validation": 1}
    assert findings["duplicates across splits"].examples == ("a (train) and across (validation)",)
    assert findings["near-duplicates across splits"].splits == {"train": 3, "validation": 1}
    assert findings["duplicates"].splits == {"train": 1}
    assert findings["near-duplicates"].splits == {"train": 1}
    assert findings["clusters across splits"].examples == ("own (train) and stranger (validation)",)
    assert findings["same id"].examples == ("own (train) and own (validation)",)


def test_an_id_in_two_splits_is_reported_for_splitting_alone_because_training_compares_words(tmp_path: Path) -> None:
    train = [marked_as("shared", "one"), *(conversation(f"t{n}") for n in range(9))]
    scored = [marked_as("shared", "two")]
    finding = found(look(tmp_path, train=train, test=scored))["same id"]
    assert "training compares words, not ids, and keeps them" in finding.advice
    split = training_split(train, scored, limit=None, validation_fraction=0.2, seed=0)
    assert split.left_out == 0
    assert "shared" in {one.id for one in (*split.train, *split.validation)}
    assert "bench data split needs an id of its own for each" in finding.advice
    with pytest.raises(UsageError, match="Give each conversation of the folder its own id"):
        plan_partition(sorted(tmp_path.glob("*.jsonl")), {"train": 0.5, "test": 0.5}, no_progress)


def test_a_reference_of_two_conversations(tmp_path: Path) -> None:
    rows = [
        Conversation(id=str(n), turns=conversation(text).turns, references=(reference, reference))
        for n, (text, reference) in enumerate(
            [("a", "It is late."), ("b", "it is late"), ("b", "It is late!"), ("c", "So.")]
        )
    ]
    finding = found(look(tmp_path, train=rows))["shared reference"]
    assert (finding.count, finding.examples) == (2, ("0 and 1", "0 and 2"))


def test_examples_are_few_and_counts_are_whole(tmp_path: Path) -> None:
    bare = [Conversation(id=f"x{n}", turns=conversation(str(n)).turns) for n in range(9)]
    finding = found(look(tmp_path, train=bare))["no references"]
    assert finding.count == 9
    assert len(finding.examples) == SHOWN


@pytest.mark.parametrize(
    ("budget", "context", "kinds"),
    [
        (10, 0, set()),
        (9, 0, {"over the budget"}),
        (9, 10, {"over the budget"}),
        (5, 9, {"over the budget", "over the context"}),
    ],
)
def test_lengths_in_tokens(budget: int, context: int, kinds: set[str], tmp_path: Path) -> None:
    tokens = TokenCounter(model="m", budget=budget, context=context, count=lambda c: 10 if c.id == "a" else 4)
    inspection = look(tmp_path, tokens, train=[conversation("a"), conversation("b"), conversation("c")])
    assert inspection.splits[0].tokens == Spread(p50=4, p95=10, max=10)
    assert set(found(inspection)) == kinds
    assert inspection.model == "m"


def test_languages_are_guessed_from_a_sample_that_is_spread(tmp_path: Path) -> None:
    french = "Bonjour, mon colis n'est pas arrivé et personne ne répond au téléphone."
    rows = [conversation(f"c{n}", french if n % 2 else CUSTOMER, AGENT if not n % 2 else french) for n in range(40)]
    inspection = look(tmp_path, train=[*rows, conversation("short", "Hi", "Hello", references=("Hi.",))])
    assert inspection.languages_sampled == 41 <= LANGUAGES_SAMPLED
    assert inspection.languages == {"en": 20, "fr": 20}


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("Hello", "Latin"),
        ("Grüße, Zoë", "Latin"),
        ("Где мой новый iPhone?", "Cyrillic"),
        ("私のカバンはどこですか", "Han, Hiragana, Katakana"),
        ("我的包裹在哪里", "Han, Hiragana, Katakana"),
        ("내 소포는 어디에 있나요", "Hangul"),
        ("أين طردي", "Arabic"),
        ("Ｈｅｌｌｏ", "Latin"),
        ("12 €", None),
        ("", None),
    ],
)
def test_scripts(text: str, script: str | None) -> None:
    assert main_script(text) == script


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("jane.doe@example.com", "j***@e***.com"),
        ("+44 20 7946 0958", "4*** 2*** 7*** 0***"),
        ("Jane O'Neill", "J*** O*** N***"),
        ("jane at example dot com", "j*** a*** e*** d*** c***"),
    ],
)
def test_masked_values_do_not_tell_what_they_are(value: str, masked: str) -> None:
    assert mask(value) == masked


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([], Spread(p50=0, p95=0, max=0)),
        ([7], Spread(p50=7, p95=7, max=7)),
        ([1, 2, 3, 4], Spread(p50=2, p95=4, max=4)),
        (list(range(1, 101)), Spread(p50=50, p95=95, max=100)),
    ],
)
def test_percentiles_are_nearest_rank(lengths: list[int], expected: Spread) -> None:
    assert spread(Counter(lengths)) == expected


def test_real_conversations(tweetsumm: Path) -> None:
    inspection = inspect(tweetsumm, [tweetsumm / "validation.jsonl"], [rougeL()], None, find, no_progress)
    (validation,) = inspection.splits
    assert validation.conversations == 108
    assert validation.references[3] == 68
    assert not inspection.faulty
    assert {finding.kind.partition(":")[0] for finding in inspection.findings} == {"personal data"}
    assert inspection.languages == {"en": 108}
