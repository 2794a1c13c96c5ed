from pathlib import Path

from liftbench.plugin_api import Conversation, Dataset, PrerequisiteError, Turn


class Calls(Dataset):
    """`<split>.tsv`: id, what the customer said, what the agent said, summary."""

    def splits(self):
        return sorted(path.stem for path in self.folder().glob("*.tsv"))

    def read(self, split):
        rows = (self.folder() / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
        return [conversation(*row.split("\t")) for row in rows]

    def folder(self):
        if self.data_dir is None:
            raise PrerequisiteError("the data set calls has to be given its folder: --data-dir FOLDER")
        return Path(self.data_dir)


def conversation(id_, customer, agent, summary):
    turns = (Turn(role="customer", text=customer), Turn(role="agent", text=agent))
    return Conversation(id=id_, turns=turns, references=(summary,))
