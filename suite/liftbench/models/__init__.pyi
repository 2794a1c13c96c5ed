# The modules that are loaded when they are used: read by type checkers and by lazy_loader.
from . import hub

__all__ = ["hub"]
