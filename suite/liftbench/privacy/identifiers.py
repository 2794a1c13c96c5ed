"""Finds identifiers by their form: e-mail addresses, numbers of phones, cards and accounts, postal addresses, and codes
of orders, bookings and cases. Numbers of officials and computers are in `official`, passwords and user names in
`credentials`, names of people in `people`.

Libraries verify the check digits of cards (Luhn) and IBANs, and the numbering plan of phone numbers. Everything else
needs a cue beside it (`order`, `ending in`, a kind of street), because products, versions, dates and amounts look like
codes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import regex

from ..errors import require_packages
from ..text.spans import COVER, Span, cover
from .addresses import addresses
from .credentials import credentials
from .official import dates_of_birth, network_addresses, social_security_numbers


@cache
def require_verifiers() -> None:
    """Raise `PrerequisiteError` unless the libraries that verify numbers are installed."""
    require_packages(["phonenumbers", "stdnum"], "the search for personal data", "liftbench[data]")


def code_key(text: str) -> str:
    """The code in capitals, letters and digits only: `kx 40921` and `KX-40921` become equal."""
    return "".join(filter(str.isalnum, text)).upper()


def identifiers(text: str, question: str, role: str = "") -> list[Span]:
    """The spans of a text that identify somebody, without names; they do not overlap.

    `question` is what the text may answer, `role` the speaker's. Raises `PrerequisiteError` if a library is not
    installed.
    """
    require_verifiers()
    found = list(_emails(text, question))
    text = cover(text, [(span.start, span.end) for span in found])
    for finder in _FINDERS if _DIGIT.search(text) or _RECORD_LOCATOR.search(text) else _WITHOUT_DIGITS:
        # A finder with several patterns may find one place twice.
        for span in finder(text, question, role):
            if COVER not in text[span.start : span.end]:
                found.append(span)
                text = cover(text, [(span.start, span.end)])
    return found


# ----------------------------------------------------------------------------------------------------------- e-mail

_DIGIT = regex.compile(r"\d")
_WORDS = regex.compile(r"\w+")
# The part before the @ has at most 64 characters (RFC 5321). It is matched without backtracking: otherwise lines of
# base64 would take minutes.
_EMAIL = regex.compile(
    r"[\w.+'-]{1,64}+(?<=\w)@\w[\w-]*+(?:\.\w[\w-]*+)+"
    r"|(?i)[\w.+-]{1,64}+ ?[\[({]at[\])}] ?\w[\w-]*(?:(?:\.| ?[\[({]dot[\])}] ?)\w[\w-]*)*"
    r"(?:\.| ?[\[({]dot[\])}] ?)[a-z]{2,}\b"
    r"|(?i)\b(?:[\w+-]{1,30}+ (?:dot|\[dot\]|\(dot\)|underscore|dash) ){0,3}[\w.+-]{1,64}+ (?:at|\[at\]|\(at\))"
    r" [\w-]+(?: (?:dot|\[dot\]|\(dot\)) [\w-]+)*"
    r" (?:dot|\[dot\]|\(dot\)) (?:com|org|net|edu|gov|info|biz|io|[a-z]{2})\b"
)


def _emails(text: str, _question: str) -> Iterator[Span]:
    if "@" not in text and "dot" not in text and "at)" not in text and "at]" not in text:
        return
    for match in _EMAIL.finditer(text):
        written = match[0].casefold()
        spoken = regex.sub(r"\W*\bdot\b\W*", ".", regex.sub(r"\W*\bat\b\W*", "@", written))
        yield Span("EMAIL", *match.span(), written if "@" in written else spoken)


# --------------------------------------------------------------------------------------------- bank accounts, cards

_IBAN = regex.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_CARD = regex.compile(r"(?<![\w+£$€.,-])\d(?:[ -]?\d){12,18}(?![\w-])")
_CARD_NAME = r"(?i:cards?|visa|master ?card|amex|american express|maestro|debit|credit)"
_CARD_END = regex.compile(
    rf"(?<![*x•#])(?:[*x•#]{{2,16}}+[ -]?+){{1,6}}+(?P<last>\d{{4}})\b"
    rf"|\b{_CARD_NAME}\b[^.?!\n\d]{{0,30}}?\b(?i:end(?:ing|s|ed)?|last (?:four|4)(?: digits)?)"
    rf"(?: (?i:in|with|on|are|is|digits))*:? ?(?P<last>\d{{4}})\b"
    rf"|\b(?i:last (?:four|4))\b[^.?!\n\d]{{0,20}}\b{_CARD_NAME}\b(?: (?i:is|are))?:? (?P<last>\d{{4}})\b"
    rf"|\b{_CARD_NAME} (?:number |no\. ?)?(?:\.{{2,}}|…|-)? ?(?P<last>\d{{4}})\b(?! ?\d)"
    rf"|\b(?i:ending)(?: (?i:in|with))? (?P<last>\d{{4}})\b(?=[^.?!\n\d]{{0,12}}\b{_CARD_NAME}\b)"
)
_LAST_DIGITS_ASKED = regex.compile(
    rf"\b(?i:last (?:four|4))\b[^.!?]{{0,80}}\b{_CARD_NAME}\b[^.!?]{{0,80}}\?"
    rf"|^(?:(?:\w+ )?{_CARD_NAME}(?: \w+){{0,3}}|last)\?$"
)
"""A question for the last digits in words, or from the name of a metadata field: `card_last4` asks `card last?`."""
_CARD_ASKED = regex.compile(rf"^(?:\w+ )?{_CARD_NAME}(?: \w+){{0,3}}\?$")
_LAST_DIGITS = regex.compile(r"\W*(?i:(?:yes|sure|it'?s|ok)\W+)*(?P<last>\d{4})\b")


def _ibans(text: str, _question: str) -> Iterator[Span]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        written = match[0]
        # The match may include the next words if these are in capitals. The check digits suffice: a country's own rules
        # need its list of banks, which has gaps (BE68 5390 0754 7034 is of none that it knows).
        while written and not iban.is_valid(written, check_country=False):
            written = written.rpartition(" ")[0]
        if written:
            yield Span("IBAN", match.start(), match.start() + len(written), iban.compact(written))


def _cards(text: str, question: str) -> Iterator[Span]:
    from stdnum import luhn

    if _LAST_DIGITS_ASKED.search(question) and (answer := _LAST_DIGITS.match(text)):
        yield Span("CARD", *answer.span("last"), answer["last"])
        text = cover(text, [answer.span("last")])
    asked = _CARD_ASKED.search(question)
    whole = [match for match in _CARD.finditer(text) if asked or luhn.is_valid(regex.sub(r"\D", "", match[0]))]
    for match in whole:
        yield Span("CARD", *match.span(), regex.sub(r"\D", "", match[0])[-4:])
    text = cover(text, [match.span() for match in whole])
    for match in _CARD_END.finditer(text):
        yield Span("CARD", *match.span("last"), match["last"])


# ----------------------------------------------------------------------------------------------------------- phones

_REGIONS = ("GB", "US", "IE", "AU", "IN", "NG", "DE", "FR", "NL", "ZA", "NZ", "ES", "IT", "PL", "PT", "SE", "JP")
"""Countries whose numbering plans are tried, in this order, for a number without a country code."""
_PHONE = regex.compile(r"(?<![\w£$€.,/#-])(?:\+|\(?00)?[\d(](?:[\d ()./-]{5,40}\d)(?![\w%£$€]|[.,:/-]\d)")
_FICTITIOUS = regex.compile(
    r"(?<![\w£$€.,/-])(?:(?:\+?1[ .-]?)?(?:\(\d{3}\)|\d{3})[ .-]?|(?:\(0\d{2,4}\)|0\d{2,4})[ -])?"
    r"555[ .-]?\d{4}(?![\w%]|[.,:/-]\d)"
)
_VERSION = regex.compile(r"(?!(?:1\.)?\d{3}\.\d{3}\.\d{4}$)\d+(?:\.\d+)+")
_PHONE_CUE = regex.compile(
    r"(?i)\b(?:(?:phone|telephone|tel|mobile|cell)(?:number|no)?|msisdn|fax|whatsapp|landline|call(?:ed|er|ing)?|contact"
    r"|ring|rang|text(?:ed)?|reach|dial)\b[^\d?!]{0,30}$"
)


def _phones(text: str, question: str) -> Iterator[Span]:
    fictitious = list(_FICTITIOUS.finditer(text))
    for match in fictitious:
        yield Span("PHONE", *match.span(), regex.sub(r"\D", "", match[0])[-10:])
    text = cover(text, [match.span() for match in fictitious])
    for match in _PHONE.finditer(text):
        start, written = match.start(), match[0]
        valid = _valid_phone(written)
        if valid:
            offset, raw, key = valid
            yield Span("PHONE", start + offset, start + offset + len(raw), key)
        elif 7 <= sum(map(str.isdigit, written)) <= 13 and _PHONE_CUE.search(
            text[:start].rstrip() or question.rstrip(" ?")
        ):
            yield Span("PHONE", start, match.end(), regex.sub(r"\D", "", written).lstrip("0"))


def _valid_phone(written: str) -> tuple[int, str, str] | None:
    from phonenumbers import PhoneNumberMatcher

    digits = sum(map(str.isdigit, written))
    spaced = len(written.split()) == 3
    if not written.startswith(("+", "0", "(")) and digits not in (10, 11) and not (digits == 9 and spaced):
        return None
    if written.startswith("0") and digits < 9:
        return None
    if _VERSION.fullmatch(written):
        return None
    for region in _REGIONS[:1] if written.startswith("+") else _REGIONS:
        for match in PhoneNumberMatcher(written, region):
            return match.start, match.raw_string, str(match.number.national_number)
    return None


_SAID = "zero one two three four five six seven eight nine"
_DIGIT_WORDS = {word: str(digit) for digit, word in enumerate(_SAID.split())} | dict.fromkeys(
    ("oh", "o", "nought"), "0"
)
_SPOKEN = regex.compile(
    rf"(?i)\b(?:(?:(?:double|triple|treble) )?(?:{'|'.join(_DIGIT_WORDS)})(?: hundred)?(?:[ ,-]+|\b)){{6,}}"
)


def _spoken_numbers(text: str, _question: str) -> Iterator[Span]:
    """Six digits or more in words, as people say the number of a phone or card: `oh seven seven double oh nine`."""
    for match in _SPOKEN.finditer(text):
        written = match[0].rstrip(" ,-")
        digits = [_DIGIT_WORDS.get(word, "") for word in written.casefold().replace(",", " ").replace("-", " ").split()]
        yield Span("PHONE", match.start(), match.start() + len(written), "".join(digits))


# -------------------------------------------------------------------------------------------------------- addresses


def _addresses(text: str, _question: str) -> Iterator[Span]:
    for start, end in addresses(text):
        yield Span("ADDRESS", start, end, " ".join(sorted(set(_WORDS.findall(text[start:end].casefold())))))


# ------------------------------------------------------------------------------------------------------------ codes

_CODE_CUE = (
    r"orders?|bookings?|references?|refs?|tickets?|cases?|confirmation|tracking|accounts?|acct?|policy|policies|invoices?"
    r"|memberships?|member|pnr|reservations?|jobs?|claims?|consignment|parcels?|shipment|serial|complaint|incident|rma"
    r"|transaction|contract|customer|loyalty|passport|licen[cs]e|registration|agreement|application|docket|quote|repair"
)
_PLAIN_CODE = r"[A-Za-z0-9]+(?:[-/_][A-Za-z0-9]+)*"
_CODE = (
    rf"(?P<code>[A-Z]{{1,4}} ?\d{{2,}}(?:[ -]\d{{2,}})+|[A-Z]{{2,4}} \d{{5,}}|\d{{3,}}(?:[ -]\d{{3,}})+|{_PLAIN_CODE})"
    r"(?![\w@%£$€]|[.,:]\d|[-/]\w)"
)
_GAP = (
    r"(?:[ :;#=,(.\"'-]"
    r"|\b(?:numbers?|nos?|nr|num|codes?|ids?|ref|reference|is|was|are|its|yours|under|here|being|s)\b){1,8}"
)
_NUMBERED = (
    r"(?<!\b(?:phone|mobile|cell|contact|card|model|version|house|part|flight|train|bus) )\bnumber(?:['’]s| is|:)? "
)
_CODE_AFTER_CUE = regex.compile(
    rf"(?:(?i:\b(?:{_CODE_CUE})\b{_GAP}|(?<!\w)# ?|\bn[o°]\. ?)|(?i:{_NUMBERED})(?=[A-Z]|\d+-)){_CODE}"
)
_CODE_NEXT = regex.compile(rf"(?:\s*,\s*(?:and |or )?|\s*&\s*|\s+(?:and|or)\s+){_CODE}")
_CODE_ALONE = regex.compile(
    r"(?<![\w£$€.,/@#-])(?P<code>"
    r"(?=[A-Z0-9-]*\d[A-Z0-9-]*\d[A-Z0-9-]*\d)(?=[0-9-]*[A-Z])(?:[A-Z0-9]+-)+[A-Z0-9]+"  # KX-40921-B
    r"|[A-Z]{1,4}\d{5,}[A-Z]{0,3}"  # GX5530912
    r"|(?=(?:[A-Z]*\d){4})[A-Z]+\d+[A-Z]+\d[A-Z0-9]*|\d[A-Z]+\d{5,}[A-Z0-9]*"  # X7K29QP4, 1Z999AA10123456784
    r")(?![\w@%£$€]|[.,:]\d|[-/]\w)"
)
_ASKED = regex.compile(
    rf"(?i)\b(?:{_CODE_CUE})\b[^.!?]{{0,200}}(?:\?|$)"
    rf"|\b(?:share|provide|send|give|confirm|tell)\b[^.!?]{{0,200}}\b(?:{_CODE_CUE}) (?:number|no|code|id|reference)\b"
)
_ANSWER = regex.compile(rf"(?<![\w£$€.,/@#-]){_CODE}")
_RECORD_LOCATOR = regex.compile(
    r"(?i:\b(?:booking|reservation|confirmation|pnr)\b(?: (?:reference|ref|code|number|is))*:? )(?P<code>[A-Z]{6})\b"
)
_NOT_A_CODE = regex.compile(
    r"(?i)\d+x\d+|\d{1,4}[-/]\d{1,2}(?:[-/]\d{1,4})?|\d{4}-\d{4}|0x\w*|(?:\d+(?:st|nd|rd|th))+|\d+(?:[gmtk]b|[km]g|[ckm]?m|ml|[ap]m|k|mins?|hours?|hrs?|days?)"
    r"|(?:iphone|ipad|ios|macbook|ps|xbox|galaxy|windows|win|rtx|gtx|rx|wd|usb|ddr|kb|iso|cve|covid|fy|wpa|sha|utf)-?\d[\w-]*"
    r"|[a-z]*\d{1,2}[ap]m\b.*|q[1-4]-\d+|e-?\d{1,4}"
)
_NOT_A_CODE_CUE = regex.compile(
    r"(?i)\b(?:error|model|version|firmware|build|update|driver|fault|part)s?(?: code)?[ :#]*$"
)
_UNIT_AFTER = regex.compile(
    r" ?(?i:pounds|euros?|dollars|yen|rupees|naira|points|miles|gb|mb|kg|km|people|times|days|hours|minutes|am|pm)\b"
)


def _orders(text: str, _question: str) -> Iterator[Span]:
    taken = 0
    for match in _CODE_AFTER_CUE.finditer(text, overlapped=True):
        if match.start("code") < taken or not _is_code(text, match, least=5):
            continue
        yield _order(match)
        taken = match.end("code")
        while (follower := _CODE_NEXT.match(text, taken)) and _is_code(text, follower, least=5):
            yield _order(follower)
            taken = follower.end("code")
    for match in _RECORD_LOCATOR.finditer(text):
        if match.start("code") >= taken and not match[0].isupper():
            yield _order(match)


def _answers(text: str, question: str) -> Iterator[Span]:
    if _ASKED.search(question):
        for match in _ANSWER.finditer(text):
            if _is_code(text, match, least=5) and len(match["code"]) >= 5:
                yield _order(match)


def _codes(text: str, _question: str) -> Iterator[Span]:
    for match in _CODE_ALONE.finditer(text):
        if len(code_key(match["code"])) >= 6 and _is_code(text, match, least=5):
            yield _order(match)


def _order(match: regex.Match[str]) -> Span:
    return Span("ORDER", *match.span("code"), code_key(match["code"]))


def _is_code(text: str, match: regex.Match[str], *, least: int) -> bool:
    code = match["code"]
    digits = sum(map(str.isdigit, code))
    if _NOT_A_CODE.fullmatch(code) or _NOT_A_CODE_CUE.search(text[: match.start("code")][-30:]):
        return False
    if digits == len(regex.sub(r"[\W_]", "", code)):
        return digits >= least and not _UNIT_AFTER.match(text, match.end("code"))
    return digits >= 3 or (digits == 2 and len(code) >= 6)


_Finder = Callable[[str, str, str], Iterator[Span]]


def _any_role(finder: Callable[[str, str], Iterator[Span]]) -> _Finder:
    return lambda text, question, _role: finder(text, question)


_WITHOUT_DIGITS: tuple[_Finder, ...] = (credentials, _any_role(_spoken_numbers))
_FINDERS: tuple[_Finder, ...] = (
    *map(_any_role, (_ibans, social_security_numbers, network_addresses, dates_of_birth)),
    credentials,
    *map(_any_role, (_orders, _cards, _phones, _addresses, _codes, _answers, _spoken_numbers)),
)
