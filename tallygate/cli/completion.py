"""`tallygate completion`: the script that completes the command in a shell."""

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command(short_help="Complete these commands in a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes tallygate's commands in SHELL.

    \b
    Examples:
      eval "$(tallygate completion bash)"     in ~/.bashrc
      eval "$(tallygate completion zsh)"      in ~/.zshrc
      tallygate completion fish > ~/.config/fish/completions/tallygate.fish
    """
    of_shell = get_completion_class(shell)
    assert of_shell is not None  # click knows all of SHELLS
    click.echo(of_shell(ctx.find_root().command, {}, "tallygate", "_TALLYGATE_COMPLETE").source())
