"""/imagine end to end: from the words to the picture, over the loopback Discord."""

from __future__ import annotations

import pytest
from conftest import Stage, is_delivered

from engine.png import read_png
from engine.policy.licence import TERMS_VERSION


async def test_a_first_picture_needs_an_agreement_and_then_goes_on_without_retyping(stage: Stage) -> None:
    asked = await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, pink hair, smile", seed=7)
    consent = stage.ana.answer(asked)
    assert consent.only_for == stage.ana.id
    assert "forged" in consent.embeds[0]["description"]
    agreed = await stage.ana.click(consent, "I agree")
    message = stage.ana.answer(agreed)
    await stage.ana.until(lambda: is_delivered(message))
    assert message.only_for is None
    info = read_png(message.attachments[0].data)
    assert info is not None
    assert info.request["prompt"] == "1girl, pink hair, smile"
    assert info.seed == 7
    assert info.digital_source_type.endswith("trainedAlgorithmicMedia")


async def test_new_terms_are_asked_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.agree(stage.ana)
    monkeypatch.setattr("service.TERMS_VERSION", "of another day")
    consent = stage.ana.answer(await stage.ana.slash(stage.paintings, "imagine", prompt="1girl, smile"))
    assert consent.only_for == stage.ana.id
    message = stage.ana.answer(await stage.ana.click(consent, "I agree"))
    await stage.ana.until(lambda: is_delivered(message))
    rows = await stage.service.database.fetch_all("SELECT terms_version FROM agreements ORDER BY agreed_at")
    assert [row["terms_version"] for row in rows] == [TERMS_VERSION, "of another day"]


async def test_about_names_the_models_its_licence_and_that_it_was_changed(stage: Stage) -> None:
    about = stage.ana.answer(await stage.ana.slash(stage.paintings, "about"))
    text = str(about.embeds)
    for words in ("Stable Diffusion v1.4", "Waifu Diffusion v1.3", "Open RAIL-M", "Rombach", "fine-tune"):
        assert words in text
