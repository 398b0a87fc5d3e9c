"""/imagine end to end: from the words to the picture, over the loopback Discord."""

from __future__ import annotations

from conftest import Stage, is_delivered

from engine.png import read_png


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
