from liftbench.plugin_api import Control


class LastTurn(Control):
    def write(self, conversations):
        return [conversation.turns[-1].text for conversation in conversations]
