"""Guesses of a text's language: right where there is one, none where nothing can be said."""

from __future__ import annotations

import pytest

from liftbench.text.languages import MOST_GUESSES, languages_of


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ar", "يشتكي العميل من أن الطرد لم يصل. يطلب الموظف رقم الطلب."),
        ("cs", "Zákazník si stěžuje, že balík nedorazil. Pracovník žádá o číslo objednávky."),
        ("de", "Der Kunde kann sich nicht anmelden. Der Support setzt das Passwort zurück."),
        ("en", "Customer is complaining that the parcel has not arrived. Agent asks for the order number."),
        ("en", "AGENT ASKS FOR THE ORDER NUMBER."),
        ("es", "La clienta quiere cambiar el vuelo; el agente lo cambia gratis."),
        ("fr", "Le client veut un remboursement et l'agent le promet sous cinq jours."),
        ("hi", "ग्राहक शिकायत करता है कि पार्सल नहीं आया। एजेंट ऑर्डर नंबर मांगता है।"),
        ("hr", "Korisnik se žali da paket nije stigao. Djelatnik traži broj narudžbe."),
        ("ja", "お客様は荷物が届かないと苦情を言っています。担当者は注文番号を尋ねています。"),
        ("ko", "고객은 소포가 도착하지 않았다고 불평합니다. 상담원은 주문 번호를 요청합니다."),
        ("nl", "De klant kan niet inloggen en de medewerker stelt het wachtwoord opnieuw in."),
        ("no", "Kunden klager over at pakken ikke har kommet frem. Medarbeideren ber om ordrenummeret."),
        ("pl", "Klient skarży się, że paczka nie dotarła. Pracownik prosi o numer zamówienia."),
        ("pt", "A cliente quer o reembolso e o atendente promete em cinco dias."),
        ("ru", "Клиентка хочет вернуть деньги, оператор обещает возврат за пять дней."),
        ("tr", "Müşteri paketinin gelmediğinden şikayet ediyor. Temsilci sipariş numarasını istiyor."),
        ("zh", "客户无法登录，客服重置了密码。"),
    ],
)
def test_a_summary_is_known_by_its_language(language: str, text: str) -> None:
    guessed = languages_of(text)
    assert guessed[0] == language
    assert len(guessed) <= MOST_GUESSES


def test_languages_that_are_hardly_told_apart_are_all_named() -> None:
    guessed = languages_of("Korisnik se žali da paket nije stigao. Djelatnik traži broj narudžbe.")
    assert set(guessed) == {"hr", "sr", "bs"}


@pytest.mark.parametrize(
    "text",
    ["", " \n", ".", "!!! ??? ...", "20k", "1 2 3 4 5 6 7 8 9 10", "Ravi 20k 20k", "Hi Hello", "xqzt wvkj pfgh bdnm"],
)
def test_of_what_is_too_little_or_no_language_nothing_is_said(text: str) -> None:
    assert languages_of(text) == ()
