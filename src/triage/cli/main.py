"""The ``triage`` command: its verbs, and how errors end."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import typer

from triage import __version__
from triage.engine.server import start_server
from triage.errors import TriageError

VERBS: Final = {
    "scan": ("scan",),
    "look": ("info", "ls", "cat"),
    "hashset": ("hashset",),
    "results": ("hits", "timeline", "pictures", "notices", "coverage", "report", "export", "verify", "plugins"),
}
"""The verbs of each module of `triage.cli`."""

app = typer.Typer(
    name="triage",
    help=(
        "Read-only forensic triage of disk images and extractions.\n\n"
        "Exit codes: 0 complete · 3 finished, but something was not examined (see `triage coverage`) · 1 error · "
        "2 wrong usage · 4 evidence not readable · 5 wrong password or key · 6 case folder not usable · "
        "7 a stored digest does not match."
    ),
    epilog="Example:  triage scan laptop.E01 --case case-17 --hashset known.vics.json",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def register(arguments: Sequence[str]) -> None:
    """Add the verbs that ``arguments`` may ask for: only one module if its verb comes first.

    Importing all of them takes longer than listing a small image.
    """
    if "scan" in arguments[:1]:
        start_server()
    wanted = [module for module, verbs in VERBS.items() if arguments and arguments[0] in verbs]
    for module in wanted or VERBS:
        import_module(f"triage.cli.{module}").register(app)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version and end.")) -> None:
    if version:
        typer.echo(f"forensic-triage {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point: run the command line and turn errors into a sentence and an exit code."""
    register(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # A terminal that cannot show a name must not end a scan.
            reconfigure(errors="backslashreplace")
    try:
        app()
    except TriageError as error:
        typer.echo(f"triage: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of a pipe (head, less) went away; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("triage: interrupted; run the same command again to continue", err=True)
        sys.exit(130)
    except OSError as error:
        typer.echo(f"triage: {error}", err=True)
        sys.exit(TriageError.exit_code)


if __name__ == "__main__":
    main()
