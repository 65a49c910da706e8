"""Commands of click that speak the language chosen, and take ``--lang`` to choose it."""

import copy
import gettext
import inspect
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import click

from auditlib.errors import ParameterError
from auditlib.language import LANGUAGES, LOCALE, VARIABLE, current, marked, tr, use

__all__ = ["Command", "Group", "speak", "texts_of"]

_ROOM = 60
"""Characters in a line of help where each takes the room of two."""


def speak(language: str) -> None:
    """Speak a language from now on, in what this process starts and in click's own words too."""
    use(language)
    os.environ[VARIABLE] = language
    if language != "en":
        os.environ["LANGUAGE"] = language
        gettext.bindtextdomain("auditlib", LOCALE)
        gettext.textdomain("auditlib")


def _chosen(context: click.Context, option: click.Parameter, language: str | None) -> None:
    """Speak the language that an option or the environment names."""
    try:
        if language is not None:
            speak(language)
        elif context.parent is None:
            speak(current())
    except ParameterError as error:
        raise click.BadParameter(f"{VARIABLE}: {error}", context, option) from error


def _language() -> click.Option:
    """Return the option that every command has."""
    return click.Option(
        ["--lang"],
        type=click.Choice(list(LANGUAGES)),
        is_eager=True,
        expose_value=False,
        callback=_chosen,
        help=marked("Language of all that is said; else the one AUDITLIB_LANG names, else en."),
    )


class Command(click.Command):
    """A command whose help is translated as it is shown."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.params.append(_language())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the language first, wherever it stands, so that errors and help speak it."""
        if ctx.parent is None:
            with suppress(ParameterError):  # told where the option is read
                speak(current())
        for word, after in pairwise([*args, ""]):
            if word == "--":
                break
            said = after if word == "--lang" else word.removeprefix("--lang=")
            if (word == "--lang" or word != said) and said in LANGUAGES:
                speak(said)
        return super().parse_args(ctx, args)

    def get_help(self, ctx: click.Context) -> str:
        """Return the help; where characters are wide, in shorter lines."""
        if current() == "en":
            return super().get_help(ctx)
        formatter = click.HelpFormatter(width=_ROOM)
        self.format_help(ctx, formatter)
        return formatter.getvalue().rstrip("\n")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own help."""
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(tr(_help_of(self)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write all options."""
        rows = []
        for param in self.get_params(ctx):
            if isinstance(param, click.Argument):
                continue
            said = copy.copy(param)
            if isinstance(said, click.Option) and said.help:
                said.help = tr(said.help)
            if (row := said.get_help_record(ctx)) is not None:
                rows.append(row)
        with formatter.section(gettext.gettext("Options")):
            formatter.write_dl(rows)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return what a list of commands says of this one: its first sentence."""
        if current() == "en":
            return super().get_short_help_str(limit)
        first, end, _ = tr(_help_of(self)).partition("\n")[0].partition("。")
        return first + end


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command


def _help_of(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "")


def texts_of(command: click.Command) -> Iterator[str]:
    """Yield the texts of a command's help, and those of the commands in it."""
    yield _help_of(command)
    for option in command.params:
        if isinstance(option, click.Option) and option.help:
            yield option.help
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            yield from texts_of(inner)
