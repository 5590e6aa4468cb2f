"""Templates in the whole of Liquid, by python-liquid.

In: a text, values, filters and partials. Out: the text that it makes. It is imported where a
template needs it, because python-liquid comes with the extra ``templates``.

Source: contract spin-host.md, TPL-8 to TPL-10.
"""

from collections.abc import Callable, Mapping

from liquid import DictLoader, Environment, FalsyStrictUndefined
from liquid.exceptions import LiquidError, LiquidSyntaxError

from edgezero_spin.errors import ProjectError
from edgezero_spin.project.template_rendering import NotLiquidError

__all__ = ["Liquid"]


class _Environment(Environment):
    """The engine, with limits on what a template can make it do."""

    loop_iteration_limit = 1_000_000
    output_stream_limit = 64 * 1024 * 1024


class Liquid:
    """Liquid with filters and partials."""

    def __init__(
        self, filters: Mapping[str, Callable[[str], str]], partials: Mapping[str, str]
    ) -> None:
        """Keep what templates may use.

        Args:
            filters: Filters by name, beside those of Liquid.
            partials: Texts by the name that they are included by.
        """
        # A name that nobody gave is an error where it is printed and false in a condition.
        self._engine = _Environment(
            undefined=FalsyStrictUndefined, loader=DictLoader(dict(partials))
        )
        for name, filter in filters.items():
            self._engine.add_filter(name, filter)

    def render(self, text: str, name: str, values: Mapping[str, str]) -> str:
        """Return what a text makes of values.

        Raises:
            NotLiquidError: It is not Liquid.
            ProjectError: It uses a name or a filter that there is not, or makes more than 64 MiB.
        """
        try:
            template = self._engine.from_string(text, name=name)
        except LiquidSyntaxError as error:
            raise NotLiquidError(str(error).partition("\n")[0]) from error
        try:
            return template.render(**values)
        except LiquidError as error:
            raise ProjectError(f"template {name}: {error}") from error
