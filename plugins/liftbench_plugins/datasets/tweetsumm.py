"""TweetSumm (Feigenblat et al., 2021): customer support on Twitter, with one to five human summaries each."""

from __future__ import annotations

from pathlib import Path

from liftbench.plugin_api import JsonLinesFolder, PrerequisiteError


class TweetSumm(JsonLinesFolder):
    """TweetSumm from the suite's JSON Lines, in the data folder or in `tweetsumm/` below it."""

    @property
    def folder(self) -> Path:
        if self.data_dir is None:
            raise PrerequisiteError(
                "TweetSumm's tweets may not be shipped with this package:\n"
                "put train.jsonl, validation.jsonl and test.jsonl into a folder "
                "and name it with --data-dir DIR (or LIFTBENCH_DATA_DIR)."
            )
        for folder in (Path(self.data_dir), Path(self.data_dir) / "tweetsumm"):
            if any(folder.glob("*.jsonl")):
                return folder
        raise PrerequisiteError(
            f"there are no TweetSumm files (train.jsonl, validation.jsonl, …) in {self.data_dir}; see --data-dir"
        )
