"""What is asked, by whom, where and when, in tests that need no particular request."""

from __future__ import annotations

from datetime import UTC, datetime

from domain import ModelIdentity, ModelProfile, Origin, Place, Request
from tests.support.people import CHANNEL, GUILD, MEMBER

NOW = datetime(2026, 1, 1, tzinfo=UTC)

REQUEST = Request(
    prompt="1girl, smile",
    negative_prompt="hat",
    width=64,
    height=64,
    num_inference_steps=5,
    guidance_scale=7.0,
    scheduler="ddim",
    seed=7,
    guidance_interval=(0.1, 0.9),
)
ORIGIN = Origin(user_id=MEMBER, place=Place(guild_id=GUILD, channel_id=CHANNEL))

# A model of Waifu Diffusion's size, and a request that it paints; nothing is loaded for them.
PROFILE = ModelProfile(
    identity=ModelIdentity(name="test", sha256="0"),
    unit=64,
    min_side=256,
    max_side=1024,
    max_pixels=768 * 768,
    shapes={"square": (512, 512)},
    schedulers=("ddim", "euler"),
    scheduler="ddim",
    num_inference_steps=20,
    max_steps=100,
    guidance_scale=7.5,
)
USUAL_REQUEST = Request(
    prompt="tree", width=512, height=512, num_inference_steps=20, guidance_scale=7.5, scheduler="ddim", seed=1
)
