"""Negates the last statement of a text. It uses rules, so the same text always becomes the same text."""

from __future__ import annotations

import re

from .sentences import split_sentences

_AUXILIARIES = frozenset(
    ("is", "are", "was", "were", "can", "could", "will", "would", "shall", "should", "may", "might", "must")
)
_PERFECT = frozenset(("has", "have", "had"))
_DO = frozenset(("does", "do", "did"))
_OPPOSITES = {
    "can't": "can",
    "cannot": "can",
    "won't": "will",
    "shan't": "shall",
    "no": "some",
    "nobody": "somebody",
    "nothing": "something",
}
_VERBS = """
accept add admit advise agree allow answer apologise apologize appear arrange arrive ask assist assure begin believe
blame book bring buy call cancel carry cause change charge check choose claim close collect come complain complete
confirm connect contact continue cost cover credit decide decline deliver demand deny direct discuss drop email
encourage end enquire escalate estimate expect experience explain face fail file find fix follow forward get give go
guide handle happen have help hold hope inform inquire insist instruct intend investigate keep know learn leave look
lose mail make mean mention message miss move need note notify object offer open order owe own pass pay phone plan
post prefer promise propose provide put question quote raise reach realise realize receive recommend refer refund
refuse reject remain remind repeat replace reply report request require resolve respond restore return review ring run
say schedule see seek seem sell send set share ship show sign solve sort speak stand start state stay stop suffer
suggest take talk tell text thank think transfer try turn understand update urge use visit wait want warn wish work
write
"""
"""What customers and agents do. A word in `-s` counts as a verb, not as a plural, if its stem is in this list."""
_IRREGULAR = """
became began bought brought built came caught chose cost cut dealt did fell felt forgot found gave got grew heard
held hit kept knew lay led left lent lost made meant met paid put ran rang read rose said sat saw sent set shut
sold spent spoke stood stuck swore taught thought threw told took understood went won wore wrote
"""
"""Irregular past forms."""
_NOT_PAST = "bed exceed feed hundred indeed need proceed red seed shed speed"
"""Words in `-ed` that are not past forms."""
_NO_SUBJECT = """
a an the this that's these those its his her their your my our any all some each every no another other new latest
further same two three of for with by from in on at as into about to via per after before until without be been
being is are was were get getting not if when where how what which newly
"""
"""Words that come before a noun or a participle (`the requested details`) and not before a finite verb."""
_SUBJECTS = "i you we they he she who agent agents customer customers"
"""Subjects of a verb without an ending. Summaries often omit the ending (`agent suggest to`)."""

VERBS = frozenset(_VERBS.split())
IRREGULAR = frozenset(_IRREGULAR.split())
NOT_PAST = frozenset(_NOT_PAST.split())
NO_SUBJECT = frozenset(_NO_SUBJECT.split())
SUBJECTS = frozenset(_SUBJECTS.split())

_SUBORDINATE = re.compile(
    r"(?:after|although|as|at|because|before|by|despite|for|if|in|on|once|since|though|to|unless|until|when|while|with"
    r"|without)\b[^,]*,\s*",
    re.IGNORECASE,
)
"""A subordinate clause before the main clause."""
_CONTRACTION = re.compile(r"(?:i|you|he|she|it|we|they|that|there|who)'(?:s|m|re|ll|ve|d)")
_NOT = re.compile(r"\s+not\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


def negate(text: str) -> str | None:
    """The text with its last sentence negated; None if the rules find a verb in no sentence.

    The rules change the first verb of the main clause. An auxiliary gains or loses `not`. Any other verb gains `never`,
    which keeps the verb's form, unlike `did not`. If `no`, `nobody` or `nothing` comes first, it becomes `some`,
    `somebody` or `something` instead. If the last sentence has no verb that the rules know, the sentence before it is
    negated.

    >>> negate("Customer asks for a refund. Agent apologized and will look into it.")
    'Customer asks for a refund. Agent never apologized and will look into it.'
    >>> negate("The refund can't be made.")
    'The refund can be made.'
    """
    end = len(text)
    for sentence in reversed(split_sentences(text)):
        start = text.rindex(sentence, 0, end)
        negated = _negate_sentence(sentence)
        if negated is not None:
            return f"{text[:start]}{negated}{text[start + len(sentence) :]}"
        end = start
    return None


def _negate_sentence(sentence: str) -> str | None:
    subordinate = _SUBORDINATE.match(sentence)
    found = list(_WORD.finditer(sentence, subordinate.end() if subordinate else 0))
    words = ["", *(match[0].lower().replace("’", "'") for match in found), ""]
    for match, before, word, after in zip(found, words, words[1:], words[2:], strict=False):
        written, left, right = match[0], sentence[: match.start()], sentence[match.end() :]
        if word in _OPPOSITES or word.endswith("n't"):
            return f"{left}{_match_case(written, _OPPOSITES.get(word, word[:-3]))}{right}"
        if word == "never":
            return f"{left}{right.lstrip()}"
        if after == "not" and (word in _AUXILIARIES or word in _PERFECT or word in _DO):
            return f"{left}{written}{_NOT.sub('', right, count=1)}"
        if _is_auxiliary(written, word, after):
            return f"{left}{written} not{right}"
        if before not in NO_SUBJECT and (_is_past(word) or _is_present(word, before)):
            return f"{left}{_match_case(written, 'never')} {word}{right}"
    return None


def _match_case(written: str, word: str) -> str:
    return word.capitalize() if written[0].isupper() else word


def _is_auxiliary(written: str, word: str, after: str) -> bool:
    if written == "May":
        return False
    return word in _AUXILIARIES or bool(_CONTRACTION.fullmatch(word)) or (word in _PERFECT and _is_past(after))


def _is_past(word: str) -> bool:
    if word.endswith("ed"):
        # Words like `unsigned` and `unlisted` are adjectives.
        return word not in NOT_PAST and not word.startswith("un")
    return word in IRREGULAR or word in _PERFECT or word == "been"


def _is_present(word: str, before: str) -> bool:
    if word in VERBS:
        return before in SUBJECTS
    if not word.endswith("s"):
        return word == "do"
    return word == "does" or not VERBS.isdisjoint((word[:-1], word[:-2], f"{word[:-3]}y"))
