"""Training goes on from published weights: what is there is kept, what is trained changes, a checkpoint resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from scripts.demo_model import decoder, diffusion
from scripts.demo_model.adversary import SHARE, Adversary, adversary_loss, combined_gradient, painter_loss
from scripts.demo_model.attributes import SKINS, draw_portraits
from scripts.demo_model.continuation import unpack
from scripts.demo_model.obedience import load_pipeline, read_skins
from scripts.demo_model.pictures import SIZE
from scripts.demo_model.plan import Plan, Worker, is_finished, load_state
from scripts.train_demo_model import stage_minutes

pytestmark = pytest.mark.pipeline

PUBLISHED = Path(__file__).parents[2] / "models" / "demo"
WORKER = Worker(0, 1, torch.device("cpu"))
PICTURES = 8


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A training folder of a few random pictures, unpacked from the published weights."""
    folder = tmp_path_factory.mktemp("training")
    pixels = torch.randint(0, 256, (PICTURES, SIZE, SIZE, 3), dtype=torch.uint8)
    (folder / "train.rgb").write_bytes(pixels.numpy().tobytes())
    (folder / "train.jsonl").write_text("".join(json.dumps(p) + "\n" for p in draw_portraits(PICTURES, seed=1)))
    plan = Plan(folder, pictures=PICTURES)
    unpack(PUBLISHED, plan)
    return plan


def _flat(module: Any) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_a_continuation_begins_with_the_published_weights(plan: Plan) -> None:
    pipeline = load_pipeline(PUBLISHED)
    trainer = decoder.Trainer(plan, WORKER)
    assert torch.equal(_flat(trainer.model), _flat(pipeline.vae))
    assert torch.equal(_flat(diffusion.Trainer(plan, WORKER).unet), _flat(pipeline.unet))
    assert len(trainer.mean) == PICTURES
    assert trainer.scale == pytest.approx(pipeline.vae.config.scaling_factor)
    assert not is_finished(plan, decoder.STAGE)


def test_an_unpacked_folder_is_not_unpacked_again(plan: Plan) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in plan.folder.iterdir()}
    unpack(PUBLISHED, plan)
    assert {path.name: path.stat().st_mtime_ns for path in plan.folder.iterdir()} == before


def test_the_decoder_trains_on_and_the_encoder_that_made_the_latents_stays(plan: Plan) -> None:
    trainer = decoder.Trainer(plan, WORKER)
    encoder, before, verdict = _flat(trainer.model.encoder), _flat(trainer.model.decoder), _flat(trainer.adversary)
    trainer.train_step(adverse=False)
    assert torch.equal(_flat(trainer.adversary), verdict)
    trainer.train_step(adverse=True)
    assert torch.equal(_flat(trainer.model.encoder), encoder)
    assert not torch.equal(_flat(trainer.model.decoder), before)
    assert not torch.equal(_flat(trainer.adversary), verdict)


def test_an_interrupted_decoder_goes_on_where_it_was_saved(plan: Plan) -> None:
    trainer = decoder.Trainer(plan, WORKER)
    trainer.train_step(adverse=True)
    untouched = plan.checkpoint(decoder.STAGE).read_bytes()
    trainer.save(12.0, finished=False)
    again = decoder.Trainer(plan, WORKER)
    plan.checkpoint(decoder.STAGE).write_bytes(untouched)
    assert (again.step, again.spent, again.continued) == (trainer.step, 12.0, True)
    assert torch.equal(_flat(again.model), _flat(trainer.model))
    assert torch.equal(_flat(again.average.module), _flat(trainer.average.module))
    assert torch.equal(_flat(again.adversary), _flat(trainer.adversary))


def test_a_new_reader_does_not_disturb_a_published_text_encoder(plan: Plan) -> None:
    trainer = diffusion.Trainer(plan, WORKER)
    text, reader, unet = _flat(trainer.text_encoder), _flat(trainer.reader), _flat(trainer.unet)
    trainer.text_step()
    assert torch.equal(_flat(trainer.text_encoder), text)
    assert not torch.equal(_flat(trainer.reader), reader)
    trainer.picture_step()
    assert not torch.equal(_flat(trainer.text_encoder), text)
    assert not torch.equal(_flat(trainer.unet), unet)


def test_repainted_latents_stay_the_pictures_own(plan: Plan) -> None:
    torch.manual_seed(0)
    scale = load_state(plan.folder / "latents.pt")["scale"]
    pipeline = load_pipeline(PUBLISHED)
    prompt = "1girl, blue hair, bob cut, smile, red background"
    painted = pipeline(prompt, generator=torch.Generator().manual_seed(1), output_type="latent").images / scale
    again = decoder.Guesser(plan, WORKER.device, scale).repaint(painted, [prompt])
    assert 0 < float((again - painted).pow(2).mean()) < 0.3 * float(painted.var())


def test_the_adversary_pulls_with_a_fixed_share_of_the_errors_strength() -> None:
    torch.manual_seed(0)
    painted = torch.rand(2, 3, 64, 64, requires_grad=True)
    rendered = torch.zeros(2, 3, 64, 64)
    error = (painted - rendered).abs().mean()
    (plain,) = torch.autograd.grad(error, painted, retain_graph=True)
    both = combined_gradient(error, painter_loss(Adversary(), painted, rendered), painted)
    assert float((both - plain).norm() / plain.norm()) == pytest.approx(SHARE, rel=1e-3)


def test_the_adversary_learns_to_tell_blotches_from_even_colours() -> None:
    torch.manual_seed(0)
    adversary = Adversary(8)
    optimizer = torch.optim.Adam(adversary.parameters(), lr=1e-2)
    even = torch.rand(8, 3, 1, 1).expand(8, 3, 32, 32) * 2 - 1
    losses = []
    for _ in range(120):  # it is undecided for the first forty
        loss = adversary_loss(adversary, even + 0.3 * torch.randn(8, 3, 32, 32), even)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_the_skin_is_read_from_the_cheek() -> None:
    colors = torch.tensor([list(bytes.fromhex(color)) for color in SKINS.values()]) / 127.5 - 1
    assert read_skins(colors[:, :, None, None].expand(-1, 3, SIZE, SIZE)) == list(SKINS)


def test_a_continuation_gives_the_autoencoders_minutes_to_the_other_stages() -> None:
    fresh, continued = stage_minutes(100, continued=False), stage_minutes(100, continued=True)
    assert sum(fresh.values()) == pytest.approx(100)
    assert sum(continued.values()) == pytest.approx(100)
    assert "autoencoder_minutes" not in continued
