"""Finds postal addresses by their form in several countries: a street with a number, a flat, a postcode."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from ..text.spans import cover

_WORD = r"(?:St\. )?\p{Lu}[\p{L}'’-]{0,40}"
_STREET = (
    r"Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Close|Way|Court|Ct|Crescent|Cres|Terrace|Tce|Place|Pl|Square|Sq|Gardens?"
    r"|Grove|Boulevard|Blvd|Parkway|Pkwy|Highway|Hwy|Circle|Cir|Trail|Row|Mews|Hill|Park|Parade|Walk|Rise|View|Green|Lawns?"
    r"|Quay|Wharf|Estate|Heights|Meadows?|Fields?|Manor|House|Villas?|Mount|Vale|Yard|Path|Loop|Broadway"
)
_UNIT = r"(?i:flat|apt|apartment|unit|suite|room|house|plot|door|block|no)\.? ?#?\d{1,4}[A-Za-z]?"
_NUMBER = r"(?!\d+ [AaPp][Mm]\b)\d{1,5}(?:[A-Za-z]\b)?(?:[-/]\d{1,4})?"
_UK = (
    r"(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]|JE|K[ATWY]|L[ADELNSU]?"
    r"|M[EKL]?|N[EGNPRW]?|O[LX]|P[AEHLOR]|RG?|R[HM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]|UB|W[ACDFNRSV]?|YO|ZE)"
    r"\d[A-Z\d]? ?\d(?!GB|TB)[ABD-HJLNP-UW-Z]{2}"
)
_EIRCODE = r"(?:[AC-FHKNPRTV-Y]\d{2}|D6W) ?(?=[0-9A-Y]*\d)(?=[0-9]*[A-Y])[0-9AC-FHKNPRTV-Y]{4}"
_CANADIAN = r"[ABCEGHJ-NPRSTVXY]\d[A-Z] ?\d[A-Z]\d"
_STATES = (
    r"(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]"
    r"|W[AIVY])"
)
_ZIP = rf"{_STATES},? \d{{5}}(?:-\d{{4}})?"
_POSTCODE = rf"(?:{_UK}|{_EIRCODE}|{_CANADIAN}|{_ZIP})"
_TOWN = rf"{_WORD}(?:[ -](?:{_WORD}|upon|on|de|la|am|an))?"
_TAIL = (
    rf"(?:(?:,? {_TOWN}){{0,2}},? (?:{_POSTCODE}|\d{{4}} ?[A-Z]{{2}}\b|\d{{5}}(?: {_TOWN})?|[A-Z]\d[A-Z] \d[A-Z]\d)\b)?"
)
_GERMANIC = (
    r"(?:stra(?:ß|ss)e|str\.|weg|gasse|allee|platz|ufer|damm|straat|laan|plein|gracht|kade|dijk|singel|vej|gade|gatan)"
)
_ROMANCE = (
    r"(?i:rue|boulevard|bd|avenue|chemin|impasse|allée|quai|calle|avenida|paseo|plaza|via|viale|piazza|corso|rua|ul\.|ulica)"
    r"(?i:(?: |\b)(?:de|del|della|di|du|des|da|do|la|le|les|los|las|l['’]|d['’])(?=[ '’\p{Lu}]))*"
)
_ADDRESSES = (
    regex.compile(
        rf"(?<!\bthe )\b(?:{_UNIT},? )?{_NUMBER},? (?:{_WORD} ){{1,3}}(?i:{_STREET})\b(?! to \p{{Lu}})"
        rf"(?: (?:North|South|East|West|[NSEW]{{1,2}})\b)?(?:,? {_UNIT})?{_TAIL}"
        rf"|\b{_UNIT},? (?:{_WORD} ){{1,2}}(?i:{_STREET})\b{_TAIL}"
        rf"|\b(?i:flat|apt|apartment) \d{{1,4}}[A-Za-z]?, (?:{_WORD} ){{0,2}}{_WORD}{_TAIL}"
        r"|\b(?i:p\.?o\.? box) \d{1,6}\b"
    ),
    regex.compile(
        rf"\b\p{{Lu}}\p{{L}}+(?:(?:[ -]\p{{Lu}}?\p{{L}}+)?{_GERMANIC}"
        rf"|(?: \p{{Lu}}\p{{L}}+)? (?:Stra(?:ß|ss)e|Str\.|Weg|Allee|Gasse|Platz)) \d{{1,4}} ?[a-z]?\b"
        rf"(?:,? (?:\d{{5}}|\d{{4}} ?[A-Z]{{2}}|\d{{4}}) {_TOWN})?"
    ),
    regex.compile(
        rf"\b\d{{1,4}}(?: (?:bis|ter))?,? {_ROMANCE} ?{_WORD}(?: {_WORD}){{0,2}}{_TAIL}"
        rf"|\b(?=\p{{Lu}}|ul){_ROMANCE} {_WORD}(?: {_WORD}){{0,2}},? \d{{1,4}}\b(?:,? \d{{4,5}} {_TOWN})?"
    ),
    regex.compile(
        rf"\b(?:(?:{_WORD} )?{_WORD}, )?{_ZIP}\b|\b{_POSTCODE}\b"
        r"|\b[1-9]\d{3} (?!AM|PM|GB|MB|TB|KB|KM|UK|US|EU|TV|PC|ID|OK|HD)[A-Z]{2} \p{Lu}\p{Ll}+"
        r"|\b(?i:zip|zip code|postcode|postal code|pin code|pincode)(?: (?i:is))?:? \K\d{4,6}\b"
    ),
    regex.compile(
        r"(?i)\b\d{1,5}[a-z]? (?!(?:\w+ )?(?:min|mins|minutes?|hours?|hrs?|days?|weeks?|miles?|km|way|lane|of|on|in"
        r"|down|the|a|to|from|different|other|more|people|times?|and|or|for|at|out|cars?|bad)\b)\p{L}{3,}"
        r"(?: \p{L}{3,})? (?:street|road|avenue|crescent|terrace)\b"
    ),
)
"""In this order: streets with a number, German and Dutch streets, Romance and Polish streets, postcodes, and streets in
lower case, as in a chat."""


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """The addresses in a text as (start, end); they do not overlap."""
    for pattern in _ADDRESSES:
        found = [match.span() for match in pattern.finditer(text)]
        yield from found
        text = cover(text, found)
