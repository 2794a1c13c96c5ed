"""Finds the local files, with known hashes, of a model reference or an adapter folder."""

import lazy_loader

# `plugin_api` exports the module `hub`, so it is imported at its first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
