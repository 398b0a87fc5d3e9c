"""Cards of long lists stay within Discord's limits, and say how much more there is."""

from __future__ import annotations

from cogs.core.text import lines_within
from domain.prompt_channels import PromptChannelChanges
from domain.quotas import QuotaKind, QuotaLimits, QuotaSubject
from sandbox.world import changes
from tests.support.cards import told
from tests.support.stage import Stage

LONG = "_*_" * 60  # each character is escaped
MEMBER = 10**18


def test_lines_are_kept_whole_and_the_rest_is_counted() -> None:
    assert lines_within(["12345"] * 3, 17) == "12345\n12345\n12345"
    shown = lines_within(["12345"] * 100, 60)
    assert shown.endswith("… and 93 more.")
    assert len(shown) <= 60
    assert lines_within([], 10) == ""


async def test_many_blocks_are_listed(stage: Stage) -> None:
    guild_id = stage.paintings.guild_id or 0
    for number in range(30):
        await stage.service.blocks.block_member(guild_id, MEMBER + number, stage.mira.id, reason=LONG)
    assert "more." in await told(stage, "mira", "blocks")


async def test_a_quota_of_many_roles_is_explained(stage: Stage) -> None:
    guild_id, guild = stage.paintings.guild_id or 0, next(iter(stage.server.world.guilds.values()))
    roles = [changes.add_role(stage.server.world, guild, f"role {number}") for number in range(8)]
    changes.set_roles(stage.server.world, guild, stage.ana.id, [role.id for role in roles])
    for role in roles:
        subject = QuotaSubject(QuotaKind.ROLE, role.id)
        limits = QuotaLimits(per_hour=5_000, per_day=50_000, max_jobs=3, weight=2.0)
        await stage.service.quotas.set_rule(guild_id, subject, limits, stage.mira.id, reason=LONG)
    assert "more." in await told(stage, "mira", "quota explain", member=stage.ana.id)


async def test_many_prompt_channels_are_listed(stage: Stage) -> None:
    tags = PromptChannelChanges(prefix=LONG, suffix=LONG, negative_prompt=LONG)
    for number in range(20):
        await stage.service.prompt_channels.open(stage.paintings.guild_id or 0, MEMBER + number, stage.mira.id, tags)
    listed = await told(stage, "mira", "channel list")
    assert "more." in listed
    assert listed.count("<#") + int(listed.split("… and ")[1].split()[0]) == 20
