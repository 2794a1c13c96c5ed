"""Finds social security numbers, dates of birth, and addresses of computers (IP), by their form and the words beside
them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv6Address

import regex

from ..text.spans import Span

# ------------------------------------------------------------------------------------------- social security numbers

_SSN_CUE = (
    r"(?:ssn|itin|tin|social security(?: (?:number|no\.?|#))?|social insurance(?: number)?"
    r"|social(?= (?:is|are|number)\b|\s*\?)|national insurance(?: number)?|ni number|nino)"
)
_SSN = regex.compile(
    r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-]|[.,]\d)"
    rf"|(?i:\b{_SSN_CUE}\b)(?:\s*(?:(?i:number|no\.?|is|was|it['’]?s|ends? (?:in|with)|ending(?: in)?"
    r"|last (?:four|4)(?: digits)?)|[:=#.-]))*"
    r"\s*\K(?:\d{3}[ -]?\d{2}[ -]?\d{4}|\d{3}[ -]?\d{3}[ -]?\d{3}|\d{4})(?![\w-]|[.,]\d)"
    rf"|(?i:\blast (?:four|4)(?: digits)?(?: of)?(?: my| the| your)? {_SSN_CUE}\b(?: (?:is|are))?)[ :]+\K\d{{4}}\b"
    r"|\b[A-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"
)
_SSN_ASKED = regex.compile(rf"(?i)\b{_SSN_CUE}\b[^.?!]{{0,60}}\?")
_SSN_ANSWER = regex.compile(r"(?<![\w-])(?:\d{3}[ -]?\d{2}[ -]?\d{4}|\d{4})(?![\w-]|[.,]\d)")


def social_security_numbers(text: str, question: str) -> Iterator[Span]:
    """Numbers of the form 123-45-6789, a British national insurance number, and what follows a cue or a question."""
    patterns = (_SSN, _SSN_ANSWER) if _SSN_ASKED.search(question) else (_SSN,)
    for pattern in patterns:
        for match in pattern.finditer(text):
            yield Span("SSN", *match.span(), "".join(filter(str.isalnum, match[0])).upper())


# ------------------------------------------------------------------------------------------------------ date of birth

_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|märz|apr(?:il)?|may|mai|june?|juni|july?|juli|aug(?:ust)?"
    r"|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\b\.?"
)
_DAY = r"\d{1,2}(?:st|nd|rd|th|\.)?"
_DATE = (
    rf"(?:\d{{1,4}}[./ -]\d{{1,2}}[./ -]\d{{2,4}}|{_DAY}(?: of)?[ -]{_MONTH}(?:,?[ -](?:\d{{4}}|['’]?\d{{2}}))?"
    rf"|{_MONTH} {_DAY}(?:,? \d{{4}})?|\d{{8}}|\d{{6}})(?![\w/]|[.,-]\d)"
)
_BIRTH_CUE = (
    r"(?:date of birth|birth ?da(?:te|y)|d\.? ?o\.? ?b\b\.?|born|geburtsdatum|geboren|geb\.|date de naissance|née?"
    r"|nacid[oa]|fecha de nacimiento|data di nascita|geboortedatum)"
)
_BIRTH = regex.compile(
    rf"(?i)\bborn in (?:{_MONTH} )?\K(?:19|20)\d{{2}}\b"
    rf"|\b{_BIRTH_CUE}(?:\s*(?:['’]s|is|was|on|in|am|le|el|the|it['’]?s|:|=|-|,|\())*\s*\K{_DATE}"
)
_BIRTH_ASKED = regex.compile(rf"(?i)\b(?!birthday){_BIRTH_CUE}(?<!birthday)(?!\w)|\bwhen\b[^.?!]{{0,40}}\bbirthday\b")
_DATE_ALONE = regex.compile(rf"(?i)(?<![\w./-]){_DATE}")


def dates_of_birth(text: str, question: str) -> Iterator[Span]:
    """The date after a cue such as `born on`, and the first date of the answer to a question for it."""
    found = list(_BIRTH.finditer(text))
    if not found and "?" in question and _BIRTH_ASKED.search(question):
        found = [match for match in (_DATE_ALONE.search(text),) if match]
    for match in found:
        yield Span("BIRTHDATE", *match.span(), " ".join(regex.findall(r"\w+", match[0].casefold())))


# ----------------------------------------------------------------------------------------------- addresses of computers

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = regex.compile(rf"(?<![\w.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w-]|\.\d)")
_IPV6 = regex.compile(
    r"(?<![\w:.])(?=[0-9a-f:]*[0-9a-f])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", regex.IGNORECASE
)
_VERSION = regex.compile(
    r"(?i)\b(?:v|ver|versions?|firmware|build|release|update[ds]?|upgraded?|driver|software|ios|android|windows|chrome"
    r"|firefox|safari|app|kernel|bios|patch|sdk|api|section|chapter|clause|paragraph|step)\b|\bv(?=\d)"
)
_IP_CUE = regex.compile(
    r"(?i)\b(?:ip|ipv4|dns|ping(?:s|ed|ing)?|gateway|subnet|router|server|host|net(?:work)? address(?:es)?|netmask"
    r"|traceroute)\b"
)


def network_addresses(text: str, _question: str) -> Iterator[Span]:
    """Addresses of computers, in both forms. Four numbers after `version` and the like are none, nor are four of one
    digit each without a word such as `IP`."""
    # Four numbers are a version, too, so the text around decides.
    named, version = _IP_CUE.search(text), _VERSION.search(text)
    for match in _IPV4.finditer(text):
        if (named and not _VERSION.search(text[max(0, match.start() - 15) : match.start()])) or (
            not named and not version and len(match[0]) > 7
        ):
            yield Span("IP", *match.span(), match[0])
    for match in _IPV6.finditer(text):
        written = match[0].casefold()
        if written.count(":") < 4 and not (regex.search(r"[a-f]", written) and regex.search(r"\d", written)):
            continue
        try:
            yield Span("IP", *match.span(), IPv6Address(written).compressed)
        except AddressValueError:
            continue
