"""Seeded random text of the shapes that both halves of the corpus are made of."""

from __future__ import annotations

import base64
import random
import string
import uuid

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
BASE62 = string.ascii_letters + DIGITS
URLSAFE = BASE62 + "-_"

WORDS = """
    ability account address amber anchor answer apple april archive arrow autumn balance banana basket battery beacon
    bicycle blanket border bottle branch bridge bright bronze bucket butter button cabin camera candle canyon carbon
    castle cattle cedar chapter cherry circle citizen clever climate closet cobalt coffee column comet copper coral
    correct cotton cradle crimson crystal curtain daily damage danger delta desert detail dinner doctor dolphin donkey
    double dragon driver eagle early earth eastern editor effort eight elbow ember empire engine entry equal escape
    evening extra fabric factor falcon family famous farmer feather fiction filter finger fisher flame flower forest
    fossil fridge galaxy garden garlic gentle giant ginger glacier golden gravel guitar hammer harbor hazel helmet
    hidden hockey hollow horse hunter insect island jacket jungle kernel kettle kitten ladder lantern leather lemon
    letter linen lizard magnet maple marble market meadow mellow metal middle mirror monkey morning mother mountain
    museum napkin nature needle nickel noble number oasis object ocean olive onion orange orchid oyster paddle palace
    panda parcel pencil pepper pillow planet pocket powder prairie purple puzzle rabbit radar random ribbon river
    rocket rubber saddle salmon sample season shadow shelter silver simple singer sketch spider spring staple stone
    summer sunset tablet temple thunder ticket timber tiger tomato travel tunnel turtle velvet violet wagon walnut
    water weather whisper window winter wizard yellow zebra
""".split()  # noqa: SIM905 - a list of words reads better as words

PEOPLE = ["ada", "bob", "carol", "dmitri", "elena", "farid", "grace", "hiro", "ines", "jonas"]


class Dice(random.Random):
    """A seeded source; the same seed throws the same corpus."""

    def of(self, alphabet: str, length: int, most: int | None = None) -> str:
        """So many characters of an alphabet; of a length between the two, if two are given."""
        return "".join(self.choices(alphabet, k=length if most is None else self.randint(length, most)))

    def base62(self, length: int, most: int | None = None) -> str:
        return self.of(BASE62, length, most)

    def hex(self, length: int) -> str:
        return self.of("0123456789abcdef", length)

    def digits(self, length: int, most: int | None = None) -> str:
        return self.of(DIGITS, length, most)

    def base64(self, size: int) -> str:
        return base64.b64encode(self.randbytes(size)).decode()

    def base64url(self, size: int) -> str:
        return base64.urlsafe_b64encode(self.randbytes(size)).decode().rstrip("=")

    def encoded(self, text: str) -> str:
        """base64url of a text, as in a JWT."""
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.getrandbits(128), version=4))

    def words(self, count: int, most: int | None = None, by: str = " ") -> str:
        return by.join(self.choices(WORDS, k=count if most is None else self.randint(count, most)))

    def word(self) -> str:
        return self.choice(WORDS)

    def sentence(self) -> str:
        return self.words(4, 12).capitalize() + self.choice(".!?") if self.random() < 0.8 else self.words(3, 9)

    def person(self) -> str:
        return self.choice(PEOPLE)

    def host(self) -> str:
        return f"{self.word()}.{self.choice(['example.com', 'example.org', 'internal', 'svc.cluster.local'])}"

    def instant(self) -> str:
        return (
            f"20{self.randint(19, 31)}-{self.randint(1, 12):02}-{self.randint(1, 28):02}"
            f"T{self.randint(0, 23):02}:{self.randint(0, 59):02}:{self.randint(0, 59):02}Z"
        )

    def luhn(self, prefix: str, length: int) -> str:
        """A number of that length with a right check digit."""
        body = prefix + self.digits(length - 1 - len(prefix))
        doubled = (int(digit) * (2 - index % 2) for index, digit in enumerate(reversed(body)))
        return body + str(-sum(number // 10 + number % 10 for number in doubled) % 10)

    def password(self, symbols: str = "!#$%*+-.=?@^_~&;,:/|()[]{}<>") -> str:
        """As people and machines make them; ``symbols`` are those that the place can hold."""
        kind = self.random()
        if kind < 0.35:
            return self._mixed(BASE62 + symbols * 2, self.randint(10, 24))
        if kind < 0.6:
            return self._mixed(BASE62, self.randint(10, 24))
        if kind < 0.75:
            return self.word().capitalize() + self.digits(2, 4) + self.choice(symbols)
        if kind < 0.85:
            return self.word() + self.digits(1, 4)
        if kind < 0.9:
            return self.words(4, by="-")
        if kind < 0.95:
            return self.hex(self.choice([16, 32, 40]))
        return self.word() + self.word()

    def _mixed(self, alphabet: str, length: int) -> str:
        """Random, with a letter at its beginning and at least one digit, as most generators make sure of."""
        return self.choice(BASE62) + self.of(alphabet, length - 3) + self.choice(DIGITS) + self.choice(BASE62)
