from liftbench.plugin_api import Launcher, WorkerEnd, run_worker


class InTurn(Launcher):
    """Runs one worker after the other, on this machine."""

    def run(self, commands, report):
        for number, command in enumerate(commands):
            while command is not None:
                command = report(WorkerEnd(command=number, code=run_worker(command)))
