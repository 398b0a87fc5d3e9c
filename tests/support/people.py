"""One set of people and places for tests without Discord.

The ids are long, so that a whole database file can be searched for them.
"""

GUILD, CHANNEL = 222_000_111, 333_000_111
MEMBER, OTHER, MODERATOR = 111_222_333, 444_555_666, 777_888_999
