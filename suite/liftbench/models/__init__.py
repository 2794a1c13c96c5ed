"""From a model reference or an adapter folder to local files with known hashes."""

import lazy_loader

# plugin_api offers the module `hub`, and a plugin may be the first to use it.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
