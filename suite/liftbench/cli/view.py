"""`bench view`: the index of all runs and pages."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from ..report.pages import write_index_page
from ..report.serve import make_server
from ..workflow.index import gather_index
from .options import baselines_option, json_option, runs_option
from .output import echo, results
from .show import print_json, say


@click.command("view")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the index.")
@click.option("--serve", is_flag=True, help="Serve it to browsers on this machine, with a page for each run.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port for --serve (default: a free one).")
@json_option
@baselines_option
@runs_option
def command(html: Path | None, serve: bool, port: int, as_json: bool, baselines: Path, runs: Path) -> None:
    """Write an index of all runs, their pages and the promoted baselines, with the trend of the headlines.

    The index is index.html beside the folder of the runs, or the file that --html names; --serve writes nothing.
    """
    if serve:
        _serve(runs, baselines, port)
        return
    if not runs.is_dir() and not baselines.is_dir():
        raise UsageError(
            f"there are no runs in {runs}, and no baselines in {baselines}", "`bench baseline` makes a run."
        )
    index = gather_index(runs, baselines)
    if as_json:
        print_json(index)
        return
    say(f"index: {write_index_page(index, runs, html)}")


def _serve(runs: Path, baselines: Path, port: int) -> None:
    try:
        server = make_server(runs, baselines, port, say)
    except OSError as error:
        raise click.UsageError(f"--port {port} cannot be used: {error.strerror}") from error
    host, number = server.server_address[:2]
    echo(f"http://{host!s}:{number}/")
    results().flush()  # A reader at the end of a pipe needs the address now.
    say("Ctrl-C ends it.")
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("ended")
