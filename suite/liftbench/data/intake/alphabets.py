"""The letters beyond ASCII of languages, and how well the text that an encoding gives is spelled with them."""

from __future__ import annotations

import unicodedata

WESTERN = (
    "äöüß",
    "éèêëàâçîïôûùœ",
    "áéíóúüñ",
    "ãõáéíóúâêôàç",
    "àèéìòù",
    "åäöé",
    "æøåé",
    "áðéíóúýþæö",
    "éëïóö",
)
CENTRAL = ("áčďéěíňóřšťúůýž", "ąćęłńóśźż", "áéíóöőúüű", "áäčďéíĺľňóôŕšťúýž", "ăâîşţ", "čćđšž")
TURKISH = ("çğıöşüâî",)
BALTIC = ("āčēģīķļņšūž", "ąčęėįšųūž", "õäöüšž")
CYRILLIC = (
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдђежзијклљмнњопрстћуфхцчџш",
)
GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ",)
HEBREW = ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",)
ARABIC = ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگ",)

LANGUAGES = {
    WESTERN: ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "no", "nb", "nn", "fi", "is", "ca"),
    CENTRAL: ("cs", "pl", "hu", "sk", "ro", "hr", "sl", "bs"),
    TURKISH: ("tr", "az"),
    BALTIC: ("lv", "lt", "et"),
}
"""Alphabets that share letters → their languages, as a text's other words tell them."""

CANDIDATES: dict[str, tuple[str, tuple[str, ...]]] = {
    "cp1252": ("Windows-1252", WESTERN),
    "mac_roman": ("MacRoman", WESTERN),
    "iso8859-15": ("Latin-9", WESTERN),
    "cp850": ("DOS 850", WESTERN),
    "cp1250": ("Windows-1250, Central Europe", CENTRAL),
    "iso8859-2": ("Latin-2, Central Europe", CENTRAL),
    "cp852": ("DOS 852, Central Europe", CENTRAL),
    "mac_latin2": ("Mac, Central Europe", CENTRAL),
    "cp1254": ("Windows-1254, Turkish", TURKISH),
    "cp1257": ("Windows-1257, Baltic", BALTIC),
    "cp1251": ("Windows-1251, Cyrillic", CYRILLIC),
    "koi8-u": ("KOI8, Cyrillic", CYRILLIC),
    "cp866": ("DOS 866, Cyrillic", CYRILLIC),
    "iso8859-5": ("ISO 8859-5, Cyrillic", CYRILLIC),
    "mac_cyrillic": ("Mac, Cyrillic", CYRILLIC),
    "cp1253": ("Windows-1253, Greek", GREEK),
    "cp1255": ("Windows-1255, Hebrew", HEBREW),
    "cp1256": ("Windows-1256, Arabic", ARABIC),
    "cp949": ("Korean", ()),
    "cp932": ("Shift JIS, Japanese", ()),
    "euc_jp": ("EUC, Japanese", ()),
    "gb18030": ("GB 18030, Chinese", ()),
    "big5hkscs": ("Big5, Chinese", ()),
}
"""Codec → its name for people, and the alphabets of its languages; none stands for East Asian scripts."""
COMMON = {
    "cp949": ("HANGUL", 0xB0, 0xC8),
    "cp932": ("CJK", 0x88, 0x97),
    "euc_jp": ("CJK", 0xB0, 0xCF),
    "gb18030": ("CJK", 0xB0, 0xD7),
    "big5hkscs": ("CJK", 0xA4, 0xC6),
}
"""Codec → the script, and the first and last lead byte of its characters in daily use."""

FREQUENT = frozenset("оеаинтсрвлαοιετσνρηיוהלאמתרבاليمونرتبع")
"""The commonest letters of other scripts, because a wrong reading gives all letters alike."""
WORDS_OF_ONE_LETTER = frozenset("àáèéóôøåуоияв")


def spelling(sample: bytes, codec: str, alphabets: tuple[str, ...]) -> float:
    """How well a sample is spelled: the mean over its characters beyond ASCII, from -3 (broken) to 1 (all fit)."""
    text = sample.decode(codec, "replace")
    places = [place for place, character in enumerate(text) if not character.isascii()]
    if not places:
        return -3.0
    points = (sum(_point(text, place, alphabet, codec) for place in places) for alphabet in alphabets or ("",))
    return max(points) / len(places)


def _point(text: str, place: int, alphabet: str, codec: str) -> float:
    character = text[place]
    before, after = text[place - 1 : place] or " ", text[place + 1 : place + 2] or " "
    if character == "\ufffd":
        return -3.0
    foreign = unicodedata.name(character, "").partition(" ")[0] not in ("LATIN", "FEMININE", "MASCULINE")
    if character.isalpha() and foreign and any(near.isascii() and near.isalpha() for near in (before, after)):
        return -2.0
    if not alphabet:
        return _point_in_east_asia(character, codec)
    if not character.isalpha():
        return _point_of_symbol(character, before, after)
    if character.isupper() and before.islower():
        return -2.0
    if character.replace("İ", "i").lower() not in alphabet:
        return -1.0
    if not before.isalpha() and not after.isalpha() and character.lower() not in WORDS_OF_ONE_LETTER:
        # A symbol of another encoding appears as a letter that stands alone.
        return -0.5
    return 1.0 if not foreign or character.lower() in FREQUENT else 0.5


def _point_in_east_asia(character: str, codec: str) -> float:
    script, first, last = COMMON[codec]
    name = unicodedata.name(character, "")
    if name.startswith(("IDEOGRAPHIC", "FULLWIDTH")):
        return 1.0
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return 1.0 if codec in ("cp932", "euc_jp") else -1.0
    if name.startswith(script):
        return 1.0 if first <= character.encode(codec)[0] <= last else 0.3
    return -1.0


def _point_of_symbol(character: str, before: str, after: str) -> float:
    if character in "’":
        return 0.8 if before.isalpha() or before.isdigit() else 0.0
    if character in "“„«‘¿¡‹":
        return (
            0.8 if (not before.isalnum() and not after.isspace()) or (character == "«" and after in " \xa0") else -1.5
        )
    if character in "”»›":
        return 0.8 if (not before.isspace() and not after.isalnum()) or before == "\xa0" else -1.5
    if character in "–—…":
        return 0.5 if not (before.isalpha() and after.isalpha()) else 0.75 if character == "—" else -0.5
    if character in "€£¥$":
        return 0.8 if (before.isdigit() or after.isdigit() or before.isspace() or before == "\xa0") else -1.5
    if character in "°½¼¾²³%‰":
        return 0.6 if before.isdigit() or before.isspace() else -1.5
    if character in "™®©§•·\xa0×№":
        return 0.4 if not (before.isalpha() and after.isalpha()) else -1.0
    return -2.0
