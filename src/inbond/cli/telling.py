"""How commands that judge end: what they print, to whatever reads it, and the code they exit with."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

import click

from inbond.model.errors import ConfigurationError, InbondError, OperatorFault
from inbond.model.text import printable

__all__ = ["INTERRUPTED", "UNTOLD", "ending", "say"]

UNTOLD: Final = 2  # what could not be read or checked is not known to be good, nor to be bad
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
MAX_ERROR_CHARS: Final = 300


def say(text: str | bytes, *, err: bool = False, nl: bool = True, color: bool | None = None) -> None:
    """Prints to standard output, or to standard error. That nobody reads on is no fault: the exit code tells enough.

    `color`: whether colours in the text stay; None: where a person watches. Raises `OperatorFault` where standard
    output cannot be written.
    """
    try:
        click.echo(text, err=err, nl=nl, color=color)
    except OSError as error:
        _silence(sys.stderr if err else sys.stdout)
        if not err and not isinstance(error, BrokenPipeError):
            raise OperatorFault(f"standard output cannot be written: {error.strerror or error}") from error


@contextmanager
def ending(code_of: Callable[[InbondError], int] = lambda _: UNTOLD) -> Iterator[None]:
    """Runs a command's body: a fault is told and exits with its code, an interrupt with 130, a defect of inbond with 2.

    No exception leads to the exit code of a pass, nor to that of a denial.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a locale cannot write
    try:
        yield
    except InbondError as error:
        _tell(error.message, error.remedy, by_line=isinstance(error, ConfigurationError))
        sys.exit(code_of(error))
    except KeyboardInterrupt:
        say("inbond: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:  # noqa: BLE001 (the last guard: an unforeseen error is "could not tell")
        _tell_defect(error)
        sys.exit(UNTOLD)


def _tell(message: str, remedy: str | None, *, by_line: bool = False) -> None:
    # A configuration has a line for each of its mistakes; whatever else has several lines was given them by somebody.
    shown = _printable_lines(message) if by_line else printable(message)
    say(click.style(f"inbond: {shown}", fg="red"), err=True)
    if remedy:
        say(f"  {printable(remedy)}", err=True)


def _tell_defect(error: Exception) -> None:
    if sys.flags.dev_mode:
        say(_printable_lines("".join(traceback.format_exception(error))), err=True)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    told = f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS]
    _tell(f"a defect of inbond, and nothing can be told: {told}{where}", "report it with what PYTHONDEVMODE=1 shows")


def _printable_lines(text: str) -> str:
    """As `printable`, line by line."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _silence(stream: TextIO) -> None:
    """Lets what is still to be written go nowhere, so that the interpreter's last flush does not fail."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
