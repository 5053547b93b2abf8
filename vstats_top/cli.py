"""The command ``vstats-top``."""

import sys
from pathlib import Path

import click

from vstats_core.errors import VStatsError
from vstats_core.version import __version__
from vstats_top.link import Target

__all__ = ["cli", "main"]

EXTRA = ("rich", "textual")
MISSING = "vstats-top needs Textual, which is not installed: pip install 'vstats-monitor[top]'"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("url", default="http://127.0.0.1:3001")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Certificates of the authorities to trust, in PEM form.  [default: the system's]",
)
@click.version_option(__version__, prog_name="vstats-top")
def cli(url: str, ca_file: Path | None) -> None:
    """Watch the hosts of the server at URL, live, in this terminal.

    URL is like http://127.0.0.1:3001 or https://USER@vstats.example.org; the password that goes
    with USER is asked for, or stands in the address.
    """
    try:
        # Only here: whoever has not installed the extra is to get a line, and no traceback.
        from vstats_top.app import TopApp  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        click.echo(MISSING, err=True)
        sys.exit(1)
    try:
        target = Target(url, ca_file=ca_file)
    except VStatsError as error:
        raise click.UsageError(str(error)) from None
    if target.wants_password:
        target.use_password(click.prompt(f"Password of {target.user}", hide_input=True, err=True))
    TopApp(target).run()


def main() -> None:
    """Run ``vstats-top``."""
    cli(prog_name="vstats-top")
