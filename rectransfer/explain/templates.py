"""The sentences that reasons are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from rectransfer.errors import InputError

__all__ = ["ENGLISH", "Templates"]


@dataclass(frozen=True)
class Templates:
    """Sentences by what backs them, to be replaced or translated; `str.format` fills in `{items}`.

    Attributes:
        often: The history's items named were taken `often_from` times or more.
        taken: They were taken.
        untitled: The history, where none of its items that count has a title.
        signals: A sentence for each signal, by its whole name (`"target.popularity"`) or by what stands after
            the domain (`"popularity"`), for what isn't the history's in it: of the tower that is how the item
            does with everybody. Signals that aren't there give no sentence.
        two: Joins two titles.
        often_from: How often is often.

    Raises:
        InputError: A sentence that cannot be filled in.

    Examples:
        >>> Templates(taken="Weil Sie {items} gekauft haben.", two="{0} und {1}").often
        'Because you often buy {items}.'
        >>> Templates(taken="Because you bought {item}.")
        Traceback (most recent call last):
            ...
        rectransfer.errors.InputError: taken='Because you bought {item}.' has no place for {items}
    """

    often: str = "Because you often buy {items}."
    taken: str = "Because you bought {items}."
    untitled: str = "It goes well with what you buy."
    signals: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "popularity": "Many others choose it, too.",
                "tower": "It is a general favourite.",
                "profile.affinity": "It suits what you choose elsewhere.",
                "profile.leaning": "People who choose as you do elsewhere take it.",
                "elsewhere.habit": "You choose it elsewhere, too.",
            }
        )
    )
    two: str = "{0} and {1}"
    often_from: int = 3

    def __post_init__(self) -> None:
        for name in ("often", "taken"):
            self._check(name, getattr(self, name), "{items}", items="x")
        self._check("untitled", self.untitled)
        for name, sentence in self.signals.items():
            self._check(f"signals[{name!r}]", sentence)
        self._check("two", self.two, "{0}", "{1}")

    def _check(self, name: str, sentence: str, *places: str, **filled: str) -> None:
        """Whether a sentence has its places, and no others.

        Raises:
            InputError: It hasn't, or isn't a text.
        """
        if not isinstance(sentence, str):
            raise InputError(f"{name}={sentence!r} is no text")
        if missing := [place for place in places if place not in sentence]:
            raise InputError(f"{name}={sentence!r} has no place for {missing[0]}")
        try:
            said = sentence.format(*(() if filled else places), **filled)
        except (KeyError, IndexError, ValueError) as error:
            raise InputError(f"{name}={sentence!r} cannot be filled in ({error!r})") from error
        if not places and said != sentence:
            raise InputError(f"{name}={sentence!r} is said as it is: braces have no meaning there")

    def of_signal(self, signal: str) -> str | None:
        """The sentence of a signal, if there is one."""
        return self.signals.get(signal, self.signals.get(signal.partition(".")[2]))


ENGLISH: Final = Templates()
