"""Words that can be a person's name: a gazetteer from faker's locale data, and the words that are not names.

`names.json` holds the names of faker's locales in Latin script; `tests/support/faker_names.py` writes it. With the
file, the names do not change with faker's version, and faker need not be installed. Names are compared folded, that is
without case and diacritics. `privacy.people` finds people in a conversation.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from importlib import resources

import msgspec
import regex
from msgspec import Struct

_NEVER = """
a about after again ah all already also am an and any anybody anyone anything are as ask asked at available back be
because been before being best both but by bye call can cannot cant care cheers come congrats contact cordialement
cordially could customer customers dear december did didnt dm do does doesnt doing don done dont dr each either else
even every everyone everything except excuse february few fine first folks following for frau friday from get getting
give glad go going good got great greetings groete groeten guys had hallo happy has have having he hello help her here
herr hers hey hi him his hiya how however i if ill im in is isnt it its ive january july just kind kindly know lady
last let lets like look looking lot madam made make many maybe me mine miss mme monday more morning most mr mrs ms
much must mx my need never new next nice no nobody none nope not nothing november now october of off oh ok okay old on
once one only onto or other our ours out over per please pls possible probably quick quite rather re really regarding
regards reply rgds said saludos same saturday see seems september she should since sir so some somebody someone
something sorry speak speaking still such sunday support sure team thank thanks that thats the their them then there
theres these they theyre thing this those though through thursday til till to today tomorrow tonight too try trying
tuesday two ty under until up upon us use very wait want wants was we wednesday welcome well went were what whats when
where which while who whom why with within without wont would yeah yep yes yesterday yet you your youre yours
abend anfrage antwort bestellung bitte danke dein dem den der des dich die dir ein eine einen er es euch freundliche
freundlichen gruß gruße grußen gruss grusse grussen gute guten handler ich ihm ihn ihnen ihr ihre ihrem ihren ihrer
ihres kunde kunden kundin liebe lieber mein meine mich mir mit morgen nachricht rechnung sie tag uns unser unsere
viele vielen wir
"""
"""Folded words that are never part of a name, even after a title or another cue."""

_ORDINARY = """
abuse accident adventure afaik afternoon agent aint aka ale alpha amazing amber amp android ange angel angeles angle
app approx apr april arabic arent arrow arts asap ashes assistant astra athens atm aug august aurora author autumn aye
babe baker bank banks barber bass bath beach bean beard bee beer bell bella bells berry bet beta birch bird birthday
bite black blame blaze bless blessing block blossom blue bond bones boots boss both bought bow bowl box branch brand
brands bravo bread brick bridge bridges bright brink brook brothers brown btw bubble buck buddy budget bug bull bush
butler buy cable camp camps candy cap cape captain cares carrier cash castle cat catch cedar chain champion chance
chancellor chapel charge charity chat check cherish cherry chief child chin chinese chip choice christmas chuck church
city clay cleaner click clock cloud club coin cold colony colour comfort comment commerce condition constant
contractor cook cord corner corp cos cottage council count country court cousin cousins cover craft cream creek cross
crown cruise curry cuz cycle dad dale dare dash data date dates dawn deal dean dec december delta desk destiny dev
diamond digital ding dip direct discovery diwali doc doll dolls donation done dot dove down downs dragon dream drew
drive driver drop drum duke dusk dusty dutch eagle earl earth east easter eco eden edge edit eid elder ember emerald
energy engineer english enjoy epic error eta eve evening event ever express eye fair faith falcon false fan fancy
fares farm farmer fast fault favor feather feb february fed fee feel fella fellow fern ferry fiber fiddle fiesta fifa
find finish fire fisher fit flag flame flash fleet flint flow flower flowers flute fly folk font ford forest forever
fort fortune forum foundation fox free freedom freeman french fresh fri friday friend frost fry full fun fyi galaxy
game gang garden gardener garnet gates gauge gave gem general genesis genius gentle geo german giant gift gilt ginger
glad glass glasses glory gold golden gonna gospel got gotta grace gracious grand granddad grant grape gravel gray
greek green greet grey grill grove guard guess guest gulf gun habit haha hai hail hair half hall ham hammer hand
handler handy happiness harbor harbour hardy harm harmony harp harsh hart harvest haven hawk hazard hazel head heart
heath heather heaven heck height held hell help hence hero heron hi high highland hill hills hindi hint hmm hobby hold
holder holiday holidays holiness holly home honest honesty honey honor honour hood hook hoover horizon horn horse host
hour house hrs human humble hung hunt hunter hurt ice icy idk ill imo important indian indigo infant inn innocent
insurance ion iris irish iron island issue italian ivory ivy jack jan january japanese jasper jet jewel jewels join
joint joke joker journey joy jubilee judge jul july jump jun june junior junk jury justice keen keeper kelp kick kin
kindle king kingdom kings kit kite knight korean label lace lad ladder lady lake lamb lame lamp lance land lane lark
las lash laurel law lawn leaf lean leap least leather legacy lemon lent level liberty lie lies light lilac lily lime
linden line link lion liquid list lively llama lmao lmk loan lock lodge lofty lol lone longer lord lore los loss lotus
loud love lovely low loyal loyalty luck lucky lunar lung lynx mac macho magic magnolia maiden mail major male mall mam
manor maple mar marble march mare marine mark market marks marry marsh marshal mason master mat match mate math matter
maxim may meadow meadows mean means media melody member memory mens mercy merry messenger meta meter metro miata
mickey midnight mighty mile miles mill miller min mind mine mini minor mins mint miracle mirror mission mist misty
moan mobile modern modest mom mon monday money month moon moor moral moss mother mount mountain mouse mud mum nah nail
nan native nature navy nda neat net nights nil noble none norm normal north note nov nova november nun nurse oak oaks
oasis ocean oct october odd odds offer office olive omg online onyx opal open opus oral orange order orders org orient
original osprey oven owe owl oxygen pace packer pad page pages paige pain painter pal palace pale palm pan panda pansy
paper parcel parish park parker parks parson part parts party pass past pat patch path patience patient paw pax pay
payer peace peach peacock pear pearl pen penny people pepper perfect perm pers phone phones piano pic pick picture
piece pike pilgrim pilot pin pine pink piper pit place plain plan plane plank plant plaza pleasant please plenty plum
plz poet point pole police polish pool pop poppy porch port porter portuguese post potter potters powers ppl praise
prayer precious premier premium press price pride priest prime prince princess prior private prob problem promise
proper prosper proud psalm public puck puerto pull pulse pure purple push puzzle qty queen quest question quick quiet
quill race radar rage rail rails rain rainbow ram ramadan ramp ran ranch rank rare rate rates raven ray reader reading
ready real rebel red redeem reed refer refund regal rejoice relay remark remedy reset return returns rhythm ribbon
rice rich ride rider rim ring rings rise river rivers road roads robe robin robot rock rocky rod rogue role roll roman
room root roots rope rose rosemary round route rover row royal ruby rule run rush russet russian rust rusty sad
saddler safari safe saga sage sailor saint sale sales salmon salt san sand sands sandy santa sapphire sat saturday
savage save savings scarlet school score scottish scout screen sea seal season second secret sell seller sellers semi
senior sent sep sept september serenity sergeant server service sever shade shadow sharp shell shepherd sheriff shine
ship shore short show shy side sierra sign silk silly silver sim simple sims sin sincere sincerely singer sitar sitter
sitters skip sky sleep slice slim smart smh smile smooth snow solar sole solid song sonic soul sound source south soz
spanish spark sparks special spirit split spoon sport spring squad square stamp star stark stars start state station
stay steel stem step sterling stern stock stone stop storey storm storms story stove strand stranger straw stream
street streets strong style subject such suits summer summers summit sun sunday sunny sunshine surf swan swedish sweet
swift sword symphony tab table tad tag tailor talent tall tan tank tap tbh tea teacher telly temple ten tender terra
test thankyou tho thru thu thursday thx tidy tiger tins tiny tip tobe told tone toner took top tor torch tore total
touch tour towel tower towers town toy trace track trade trail train trainer travel treasure tree trinity trip troy
true trust truth tue tuesday tune turkish turner twin ty ugly uh um umm una uncle uni unique unit unity universe
unknown ur urban user vain vale valid valley value van velvet venture venus ver versa vet victor victory vid video
viewer villa vine violet vip virgin virtual virtue vision visit vital vogue voice volt wage walker wall walls wanna
ward warden ware warm warmer warner warp wash wasnt watch water watt wave waves way weather weaver web wed wednesday
weeks wells welsh werent west whale wheel whisper white wide wifi wild will willow wilt win wind window windy wine
winner winter wisdom wise wish wolf wolves wonder wood woods wool work worker worth wouldnt wren wtf yall yard yay ye
year yen yo yoga yuan yup zeal zen zero zion zone
"""
"""Folded words that are also names, or that often begin a sentence: a name only after a cue or beside another name."""

_PLACES = """
adelaide africa alabama albania alexandria algeria alma america amsterdam andorra arizona asia athens atlanta austin
australia austria bahamas bali baltimore barcelona basel bath belfast belgium belize bergen berlin bern birmingham
bolivia boston brazil bristol britain brooklyn brussels burley cabo cairo calgary california cambridge canada cardiff
carolina chad charleston charlotte chelsea chester chicago chile china cleveland cologne colombia colorado columbia
cork corona cuba cumbria dakota dallas darwin dayton delhi denmark denver derby devon dorset dover dublin durham
edinburgh egypt england ennis essex ethiopia europe exeter falkirk finland florence florida france galway geneva
georgia germany ghana glasgow goa granville greece grenada guinea guyana hamilton hawaii hayes holland houston hudson
hull iceland idaho india indiana iran iraq ireland israel italy jamaica japan jersey jordan kansas kendal kensington
kent kentucky kenya kimberley kingston korea kuwait lagos lancaster laramie lebanon leeds leicester levin lima
limerick lincoln lisbon liverpool london lorraine louisiana lourdes lucerne lyon madison madrid malaysia malta
manchester manila mansfield maryland mauritius melbourne memphis mercedes mexico miami michigan milan milano milton
minnesota missouri modena monaco montana montreal montserrat morocco moscow munich nairobi naples nelson nepal nevada
newcastle newport newton nigeria norfolk norway norwich nottingham oakland odessa ohio oman ontario oregon orlando
oslo ottawa oxford pakistan palermo panama paris pennsylvania persia perth peru petersburg phoenix poland poole
portland portsmouth portugal prague preston quebec queensland regina richmond roma rome russia salem samara samoa
santiago savannah saxby scotland seattle sheffield siena sofia somalia spain stafford stanford stanley stockholm
stockport sudan surrey sussex sutton swansea sweden sydney syria taiwan tennessee texas tokyo toledo toronto trenton
truro tunisia turin turkey tyne ukraine utah valencia vancouver venezuela venice vermont verona victoria vienna
vietnam virginia wales warren warsaw warwick washington wellington wexford wigan winchester windsor worcester york
yorkshire zurich
"""
"""Folded places that are names too: they need what `_ORDINARY` words need."""

_BRANDS = """
adobe airtel alexa alibaba allianz amazon american apple argos asda audi aviva barclays bentley bloomberg boeing boost
bosch british burger cadillac chanel chase cisco citi comcast cortana costa dell delta deutsche disney dyson ebay
emirates etisalat facebook fedex fitbit ford frontier google greggs groupon halifax hermes hilton honda hotmail hsbc
huawei hulu hyundai ikea instagram intel ipad iphone kindle kinect kroger lego lenovo levis lexus lidl linux lloyds
lyft macbook marriott mastercard maytag mazda mcdonalds microsoft morrison morrisons motorola netflix nike nikon
nintendo nissan nokia norton office outlook panasonic paypal philips pixel playstation porsche prada primark
prudential renault ryanair safari sainsbury sainsburys samsung sega siemens siri sky skype sony southwest spectrum
spotify sprint starbucks steam subaru suzuki target tesco tesla tmobile toyota twitter uber ubisoft uniqlo united usps
verizon virgin visa vodafone volkswagen volvo waitrose walmart wendys whatsapp windows wordpress xbox xfinity yahoo
yamaha youtube zara zendesk
"""
"""Folded names of companies and products, which are never taken for a person's name."""

_PARTICLES = """
al ap ben bin da dal de del della der di dos du el ibn la le ní o ten ter van vom von zu
"""
"""Small words inside a name: `de la Cruz`, `van Dijk`."""

PARTICLES = frozenset(_PARTICLES.split())
VERBS = frozenset({"will", "may"})
"""Folded first names that are also verbs which begin questions: `Will you …`."""
NEVER = frozenset(_NEVER.split())
PLACES = frozenset(_PLACES.split())
BRANDS = frozenset(_BRANDS.split())

_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "’": "'"})
_INFLECTIONS = ("s", "es", "d", "ed", "ing", "ly", "r", "er", "y")
_COMMON_ENDING = regex.compile(
    r".{2,}(?:tions?|ings?|ed|ly|ments?|ness|ables?|ibles?|ships?|ities|ity|ware|ian|ish|ese)"
)


class _NamesFile(Struct, frozen=True, forbid_unknown_fields=True):
    """`names.json`: folded names, and the words of faker's English texts."""

    source: str
    first: list[str]
    last: list[str]
    words: list[str]


class Gazetteer(Struct, frozen=True):
    """Folded names and ordinary words."""

    first: frozenset[str]
    last: frozenset[str]
    ordinary: frozenset[str]

    def is_first(self, word: str) -> bool:
        """Whether a folded word is a first name; of a word with hyphens, each part must be one."""
        return word in self.first or ("-" in word and all(part in self.first for part in word.split("-")))

    def is_last(self, word: str) -> bool:
        """Whether a folded word is a last name; of a word with hyphens, one part must be one."""
        return word in self.last or ("-" in word and any(part in self.last for part in word.split("-")))

    def is_ordinary(self, word: str) -> bool:
        """Whether a folded word is also an ordinary word, a place or a brand: alone, it does not prove a name."""
        return word in self.ordinary or word in NEVER

    def is_vocabulary(self, word: str) -> bool:
        """Whether a folded word is ordinary, or an inflection of an ordinary word."""
        if self.is_ordinary(word):
            return True
        if _COMMON_ENDING.fullmatch(word):
            return True
        stems = {word.removesuffix(ending) for ending in _INFLECTIONS} - {word}
        return any(self.is_ordinary(stem) or self.is_ordinary(f"{stem}e") for stem in stems if len(stem) > 2)


def fold(word: str) -> str:
    """The word without case and diacritics: `Siobhán` and `SIOBHAN` become equal.

    >>> fold("Łukasz"), fold("O’Néill")
    ('lukasz', "o'neill")
    """
    plain = word.casefold()
    if plain.isascii():
        return plain
    return "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c)).translate(_LETTERS)


@lru_cache(maxsize=1)
def gazetteer() -> Gazetteer:
    """The gazetteer of faker's names in Latin script: about 20,000 first and 20,000 last names, read once."""
    names = msgspec.json.decode(resources.files(__package__).joinpath("names.json").read_bytes(), type=_NamesFile)
    ordinary = {*names.words, *_ORDINARY.split(), *PLACES, *BRANDS}
    return Gazetteer(frozenset(names.first), frozenset(names.last), frozenset(ordinary))
