"""Which mark of internal notes a column or key is, also where its name has more words: `Comment Is Public`."""

from __future__ import annotations

import re
from functools import lru_cache

from .columns import plain_name


def set_of(names: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(names.split())


_PUBLIC = set_of("public published öffentlich oeffentlich publique público pública publico publica pubblico openbaar")
_INTERNAL = set_of("internal intern interne interno interna private privat privado privada privé prive")
_VISIBILITY = set_of(
    "visibility audience privacy sichtbarkeit visibilité visibilite visibilidad visibilidade visibilità"
)
_BESIDE = set_of("""is ist est es was marked as flag comment comments note notes reply entry post update kommentar notiz
    commentaire comentario nota""")
_REACHES = set_of("visible shared shown sent facing")
_CUSTOMERS = set_of("customer customers client clients requester user users enduser portal")
_BETWEEN = set_of("is to with in for the end")
_ACTIONS = set_of(
    """action interaction activity engagement record row update article event entry post comment note reply message msg
    item part journal"""
)


@lru_cache(maxsize=4096)
def mark_name(name: str) -> str:
    """The plain name of the mark that a name says in more words or another language; else its own plain name.

    >>> [mark_name(name) for name in ("Comment Is Public", "Sichtbarkeit", "sent_to_customer", "public_reply_count")]
    ['ispublic', 'visibility', 'visibletocustomer', 'publicreplycount']
    """
    said = words_of(name)
    rest = said - _BESIDE
    if "note" in said and said <= {"note", "is", "a"} and ("is" in said or name.strip().endswith("?")):
        return "isnote"
    if rest - {"message"} and rest - {"message"} <= _PUBLIC:
        return "ispublic"
    # A private message may be the channel on which the customer writes.
    if rest and rest <= _INTERNAL:
        return "isprivate"
    if rest - {"message"} and rest - {"message"} <= _VISIBILITY:
        return "visibility"
    if said & _REACHES and said & _CUSTOMERS and said <= _REACHES | _CUSTOMERS | _BETWEEN:
        return "visibletocustomer"
    if said & {"type", "kind"} and said - {"type", "kind"} and said - {"type", "kind"} <= _ACTIONS:
        return "activitytype"
    return plain_name(name)


def words_of(text: str) -> frozenset[str]:
    """The words of a name or a value such as `internal_note` or `InternalNote`, in lower case."""
    return frozenset(re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold()))
