from msgspec import Struct


class PlainLoraOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    learning_rate: float = 2e-4
    rank: int = 8
