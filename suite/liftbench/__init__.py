"""Is the fine-tuned summarizer really better? An evaluation-first benchmark suite for customer-agent conversations.

`liftbench.baseline`, `train`, `sweep`, `score`, `compare`, `plan`, `write_report`, `gate`, `export`, `summarize` and
`load_run` do what the commands of `bench` do, and return the objects that these print from. `environment`,
`load_conversations` and `preview` look at what a run would use, and `side_by_side` at what runs wrote. All of them are
imported when they are first used: `import liftbench` by itself imports nothing else of the package. `__init__.pyi`
lists all names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub("liftbench", __file__)
