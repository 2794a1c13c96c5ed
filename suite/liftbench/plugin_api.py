"""All that a plugin may use, in one place; `plugin_api.pyi` lists it. What is not there may change without notice.

Names are imported when they are first used: registering a plugin loads nothing that it does not need.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub("liftbench", __file__)
