"""Tests of loading trained weights: all of them, or an error of one line."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.engines import SupervisedTrainer
from monai.handlers import CheckpointSaver
from torch import Tensor, nn

from s3net_monai.engines import load_encoder, load_network, warm_start
from s3net_monai.networks import (
    ConvEncoder,
    DualDecoderUNet,
    EncoderUNet,
    GlobalDenseProjection,
    S3Net,
    S3NetEncoder,
)
from tests.helpers.feature_encoders import ENCODERS
from tests.helpers.pickled import Pickled


def pretrain(network: nn.Module, save_dict: dict[str, Any], image: Tensor, folder: Path) -> Path:
    """Run two steps of MONAI's trainer with its own saver."""
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=2,
        train_data_loader=[{"image": image, "label": image}],
        network=network,
        optimizer=torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.001),
        loss_function=lambda output, target: sum(part[:, 0].sum() for part in output.values()),
        decollate=False,
    )
    CheckpointSaver(str(folder), save_dict, save_final=True, final_filename="encoder.pt").attach(trainer)
    trainer.run()
    return folder / "encoder.pt"


@pytest.mark.parametrize(
    ("kind", "spatial_dims", "alone"),
    [
        ("conv", 2, True),
        ("conv", 3, False),
        ("s3net", 2, False),
        ("s3net", 3, True),
        ("resnet", 2, True),
        ("resnet", 3, False),
        ("efficientnet", 2, False),
    ],
)
def test_features_are_the_same_in_both_networks(tmp_path: Path, kind: str, spatial_dims: int, alone: bool) -> None:
    torch.manual_seed(0)
    image = torch.randn(2, 1, *[64, 32, 32][:spatial_dims])
    encoder = ENCODERS[kind](spatial_dims, 1)
    initial = copy.deepcopy(encoder.state_dict())
    pretraining = GlobalDenseProjection(encoder, spatial_dims, 1, level=1)
    # MONAI's saver drops the key of a dictionary with a single entry
    save_dict = {"encoder": encoder} if alone else {"encoder": encoder, "network": pretraining}
    path = pretrain(pretraining, save_dict, image, tmp_path)
    assert any(not torch.equal(value, initial[name]) for name, value in encoder.state_dict().items())
    encoder.eval()
    for build in (EncoderUNet, DualDecoderUNet):
        new_encoder = ENCODERS[kind](spatial_dims, 1)
        network = build(new_encoder, spatial_dims=spatial_dims, in_channels=1, out_channels=3).eval()
        decoding = {name: value.clone() for name, value in network.state_dict().items() if "decoder" in name}
        assert load_encoder(network, path) is network
        for loaded, expected in zip(network.encoder(image), encoder(image), strict=True):
            assert torch.equal(loaded, expected)
        assert decoding
        assert all(torch.equal(value, network.state_dict()[name]) for name, value in decoding.items())


def test_encoder_of_a_trained_s3net(tmp_path: Path) -> None:
    def build() -> S3Net:
        return S3Net(2, 1, 3, channels=[4, 6], num_blocks=[0, 1])

    trained, image = build(), torch.randn(2, 1, 10, 12)
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    trained(image)[:, 0].sum().backward()
    optimizer.step()
    torch.save({"encoder": S3NetEncoder(trained).state_dict()}, tmp_path / "encoder.pt")
    unet = EncoderUNet(S3NetEncoder(build()), spatial_dims=2, in_channels=1, out_channels=3)
    network = load_encoder(unet, tmp_path / "encoder.pt")
    for loaded, expected in zip(network.encoder.eval()(image), S3NetEncoder(trained).eval()(image), strict=True):
        assert torch.equal(loaded, expected)


def test_from_a_config_by_another_key_into_a_bare_encoder(tmp_path: Path) -> None:
    encoder = ConvEncoder(2, 2, (4, 8))
    torch.save({"encoder": {}, "teacher": encoder.state_dict()}, tmp_path / "encoder.pt")
    config = {
        "network": {"_target_": "s3net_monai.networks.ConvEncoder", "in_channels": 2, "channels": [4, 8]},
        "loaded": {
            "_target_": "s3net_monai.engines.load_encoder",
            "network": "@network",
            "path": str(tmp_path / "encoder.pt"),
            "key": "teacher",
        },
    }
    loaded = ConfigParser(config).get_parsed_content("loaded")
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in loaded.state_dict().items())


def refusal(network: nn.Module, path: Path, kind: type[Exception] = ValueError, **arguments: Any) -> str:
    """Return the error message of one line; nothing may have been loaded."""
    initial = copy.deepcopy(network.state_dict())
    with pytest.raises(kind) as caught:
        load_encoder(network, path, **arguments)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    assert all(torch.equal(value, initial[name]) for name, value in network.state_dict().items())
    return message.removeprefix(f"{path}: ")


@pytest.fixture
def network() -> EncoderUNet:
    return EncoderUNet(ConvEncoder(2, 1, (4, 8)), spatial_dims=2, in_channels=1, out_channels=3)


def saved(folder: Path, content: Any) -> Path:
    torch.save(content, folder / "encoder.pt")
    return folder / "encoder.pt"


FIRST = "levels.0.conv_0.conv.weight"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ((2, 2, (4, 8)), f"its encoder does not fit: {FIRST} is (4, 2, 3, 3), expected (4, 1, 3, 3). Build the"),
        ((3, 1, (4, 8)), f"its encoder does not fit: {FIRST} is (4, 1, 3, 3, 3), expected (4, 1, 3, 3); levels.0."),
        ((2, 1, (6, 8)), f"its encoder does not fit: {FIRST} is (6, 1, 3, 3), expected (4, 1, 3, 3); levels.0."),
        ((2, 1, (4, 10)), "fit: levels.1.convs.conv_0.conv.weight is (10, 4, 3, 3), expected (8, 4, 3, 3); levels.1."),
        ((2, 1, (4,)), "does not fit: levels.1.convs.conv_0.conv.weight is missing, expected (8, 4, 3, 3); levels.1."),
        ((2, 1, (4, 8, 8)), "does not fit: levels.2.convs.conv_0.conv.weight (8, 8, 3, 3) is unexpected; levels.2."),
    ],
    ids=["in_channels", "spatial_dims", "finest", "coarsest", "shallower", "deeper"],
)
def test_another_encoder_is_refused(
    tmp_path: Path, network: EncoderUNet, other: tuple[int, int, tuple[int, ...]], message: str
) -> None:
    state = ConvEncoder(*other).state_dict()
    for content in ({"encoder": state}, state):
        refusal_message = refusal(network, saved(tmp_path, content))
        assert message in refusal_message
        assert refusal_message.endswith(". Build the encoder that was pre-trained")


def test_three_layers_are_listed_and_the_others_counted(tmp_path: Path, network: EncoderUNet) -> None:
    message = refusal(network, saved(tmp_path, {"encoder": ENCODERS["resnet"](2, 1).state_dict()}))
    expected = len(network.encoder.state_dict()) + len(ENCODERS["resnet"](2, 1).state_dict())
    assert f"; {expected - 3} more. Build" in message
    assert message.count("is missing") == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"a": torch.zeros(1)}, "optimizer": {}}, "holds 'model', 'optimizer', expected weights under 'enc"),
        ({}, "holds nothing, expected weights under 'encoder'"),
        ({"encoder": {}}, "holds 'encoder', expected weights under 'encoder'"),
        ({"encoder": 3}, "holds 'encoder', expected weights under 'encoder'"),
        (torch.zeros(3), "holds Tensor, expected weights under 'encoder'; give another file"),
    ],
)
def test_a_file_without_the_key_is_refused(tmp_path: Path, network: EncoderUNet, content: Any, message: str) -> None:
    assert message in refusal(network, saved(tmp_path, content))


def test_a_diverged_encoder_is_refused(tmp_path: Path, network: EncoderUNet) -> None:
    state = copy.deepcopy(network.encoder.state_dict())
    state["levels.1.convs.conv_0.conv.weight"][0, 0, 0, 0] = torch.nan
    assert "its encoder does not fit: levels.1.convs.conv_0.conv.weight is not finite" in refusal(
        network, saved(tmp_path, {"encoder": state})
    )


def test_a_missing_file_is_refused(tmp_path: Path, network: EncoderUNet) -> None:
    for path in (tmp_path / "encoder.pt", tmp_path):
        assert "no such checkpoint; pre-train first" in refusal(network, path, FileNotFoundError)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped"])
def test_a_damaged_file_is_refused(tmp_path: Path, network: EncoderUNet, damage: str) -> None:
    path = saved(tmp_path, {"encoder": network.encoder.state_dict()})
    content = path.read_bytes()
    flipped = bytes(byte ^ 0xFF for byte in content[:2000]) + content[2000:]
    path.write_bytes(
        {"cut": content[: len(content) // 2], "empty": b"", "text": b"no model\n", "flipped": flipped}[damage]
    )
    message = refusal(network, path)
    assert message.startswith("damaged, or not a checkpoint of tensors alone")
    assert "copy it again" in message


def test_no_code_in_a_checkpoint_is_run(tmp_path: Path, network: EncoderUNet) -> None:
    path = saved(tmp_path, {"encoder": network.encoder.state_dict(), "more": Pickled(tmp_path / "ran")})
    assert "not a checkpoint of tensors" in refusal(network, path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_whole_network_is_loaded_or_refused(tmp_path: Path, network: EncoderUNet, wrapped: bool) -> None:
    trained = EncoderUNet(ConvEncoder(2, 1, (4, 8)), spatial_dims=2, in_channels=1, out_channels=3)
    path = saved(tmp_path, {"model": trained.state_dict()} if wrapped else trained.state_dict())
    assert load_network(network, path) is network
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in network.state_dict().items())
    of_four_classes = EncoderUNet(ConvEncoder(2, 1, (4, 8)), spatial_dims=2, in_channels=1, out_channels=4)
    expected = r"its network does not fit: decoder\.head\.weight is \(3, .*Build the network that was trained"
    with pytest.raises(ValueError, match=expected):
        load_network(of_four_classes, path)


@pytest.mark.parametrize(("path", "shown"), [("", "no path"), ("nothing.pt", "nothing.pt")])
def test_a_missing_network_is_refused(network: EncoderUNet, path: str, shown: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"^{shown}: no such checkpoint of a network; train one"):
        load_network(network, path)


def test_warm_start_loads_an_encoder_where_one_is_given(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source, network = (ConvEncoder(2, 1, channels=[4, 8]) for _ in range(2))
    torch.save(source.state_dict(), tmp_path / "encoder.pt")
    before = copy.deepcopy(network.state_dict())
    assert warm_start(network) is network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert warm_start(network, tmp_path / "encoder.pt") is network
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in network.state_dict().items())
    with pytest.raises(FileNotFoundError, match="pre-train first"):
        warm_start(network, tmp_path / "none.pt")
