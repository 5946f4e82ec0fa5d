"""What each sign of risk adds to a score, as the ``risk`` table of a policy file says it. What it leaves out stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from clearance.center.policy import hours
from clearance.center.policy.document import Node, Reader, nearest
from clearance.center.risk import BUILT_IN, Bands, Kind, RiskModel
from clearance.center.risk.model import HIGHEST

LARGEST_SUM = 10**15
MOST_WORDS = 1_000
"""Words of one list, and entries of one table."""
NUMBERS = ("unknown_kind", "secret_data", "personal_data", "novelty", "indicator", "most_indicators")
TABLES = ("tools", "environments")
KEYS = (*NUMBERS, *TABLES, "kinds", "personal_words", "amounts", "amount_names", "off_hours", "bands")
LONGEST_WORD = 60
_WORD = re.compile(r"[a-z]+")


class Weights:
    """Reads the weights out of a policy file."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def model(self, table: dict[str, Node]) -> RiskModel:
        """The model with the weights that the table gives; with the built-in ones where there was something to note."""
        readers: dict[str, Callable[[Node, str], Any]] = {
            **dict.fromkeys(NUMBERS, self._points),
            **dict.fromkeys(TABLES, self._pairs),
            "personal_words": self._words,
            "amount_names": self._texts,
            "amounts": self._amounts,
            "kinds": self._kinds,
            "bands": self._bands,
        }
        given = {key: readers[key](node, f"risk: {key}") for key, node in table.items() if key in readers}
        if "off_hours" in table:
            given |= self._off_hours(table["off_hours"], "risk: off_hours")
        return BUILT_IN if self._reader.problems else replace(BUILT_IN, **given)

    def _points(self, node: Node, what: str) -> int | None:
        return self._reader.whole(node, what, 0, HIGHEST)

    def _pairs(self, node: Node, what: str) -> tuple[tuple[str, int | None], ...]:
        """Names with their points."""
        table = self._reader.table(node, what)
        self._few(node, len(table), what)
        return tuple((name, self._points(entry, f"{what}: {name}")) for name, entry in table.items())

    def _texts(self, node: Node, what: str) -> tuple[str, ...]:
        """A list of texts; an empty one looks for nothing."""
        if not isinstance(node.value, list):
            self._reader.problems.add(node.place, f'{what} must be a list of words, such as ["one", "other"].')
            return ()
        self._few(node, len(node.value), what)
        found = [self._reader.text(each, f"{what}: each", longest=LONGEST_WORD) for each in node.value]
        return tuple(text for text in found if text is not None)

    def _words(self, node: Node, what: str) -> tuple[str, ...]:
        """Words as names are read: in small letters alone."""
        words = self._texts(node, what)
        for word in words:
            if not _WORD.fullmatch(word):
                sentence = f"{what}: {word!r} is no word as names are read: write letters from a to z alone."
                self._reader.problems.add(node.place, sentence)
        return words

    def _few(self, node: Node, count: int, what: str) -> None:
        if count > MOST_WORDS:
            self._reader.problems.add(node.place, f"{what} has {count:,} entries; {MOST_WORDS:,} is the most.")

    def _amounts(self, node: Node, what: str) -> tuple[tuple[int | None, int | None], ...]:
        found: list[tuple[int | None, int | None]] = []
        for number, entry in enumerate(self._reader.items(node, what) if node.value != [] else (), 1):
            where = f"{what}: item {number}"
            table = self._reader.table(entry, where, ("from", "points"))
            if "from" in table and "points" in table:
                least = self._reader.whole(table["from"], f"{where}: from", 1, LARGEST_SUM)
                found.append((least, self._points(table["points"], f"{where}: points")))
            elif isinstance(entry.value, dict):
                hint = "such as {from: 1000, points: 15}"
                self._reader.problems.add(entry.place, f"{where} needs from and points, {hint}.")
        return tuple(found)

    def _kinds(self, node: Node, what: str) -> tuple[Kind, ...]:
        """The built-in kinds, each as the file has it, and those that are new."""
        kinds = {kind.name: kind for kind in BUILT_IN.kinds}
        table = self._reader.table(node, what)
        self._few(node, len(table), what)
        for name, entry in table.items():
            where = f"{what}: {name}"
            said = self._reader.table(entry, where, ("points", "words"))
            if name not in kinds and not {"points", "words"} <= said.keys():
                sentence = f"{where} is not built in, so it needs points and words; {nearest(name, kinds, 'built in')}"
                self._reader.problems.add(node.keys[name], sentence)
                continue
            known = kinds.get(name, Kind(name, 0, ()))
            points = self._points(said["points"], f"{where}: points") if "points" in said else known.points
            words = self._words(said["words"], f"{where}: words") if "words" in said else known.words
            kinds[name] = Kind(name, points or 0, words)
        return tuple(kinds.values())

    def _off_hours(self, node: Node, what: str) -> dict[str, Any]:
        table = self._reader.table(node, what, ("points", "hours", "days", "zone"))
        given: dict[str, Any] = {}
        if "points" in table:
            given["off_hours"] = self._points(table["points"], f"{what}: points")
        elif isinstance(node.value, dict):
            self._reader.problems.add(node.place, f"{what} needs points: what a time outside of these hours adds.")
        if "hours" in table:
            given["hours"] = hours.span(table["hours"], self._reader, f"{what}: hours")
        if "days" in table:
            found = hours.weekdays(table["days"], self._reader, f"{what}: days")
            given["days"] = tuple(day for number, day in enumerate(hours.DAYS) if number in found)
        if "zone" in table and hours.zone_of(table["zone"], self._reader, f"{what}: zone") is not None:
            given["time_zone"] = table["zone"].value
        return given

    def _bands(self, node: Node, what: str) -> Bands:
        bands = BUILT_IN.bands
        table = self._reader.table(node, what, ("low", "medium", "high"))
        highest = {level: self._reader.whole(each, f"{what}: {level}", 0, HIGHEST - 1) for level, each in table.items()}
        if None in highest.values():
            return bands
        try:
            return replace(bands, **{level: score for level, score in highest.items() if score is not None})
        except ValueError:
            edges = {"low": bands.low, "medium": bands.medium, "high": bands.high, **highest}
            said = ", ".join(f"{level} {score}" for level, score in edges.items())
            self._reader.problems.add(node.place, f"{what}: each level must end above the one before ({said}).")
            return bands
