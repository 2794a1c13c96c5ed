"""Is the fine-tuned summarizer really better? An evaluation-first benchmark suite for customer-agent conversations.

`liftbench.baseline`, `train`, `sweep`, `score`, `compare`, `gate`, `export`, `summarize` and `load_run` do what the
commands of `bench` do, and return the objects that these print from. They are imported when they are first used:
`import liftbench` by itself imports nothing else of the package. `__init__.pyi` lists all names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub("liftbench", __file__)
