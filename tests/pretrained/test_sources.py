"""What weights may be given as, and what is wrong with those that are refused."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from pretrained_helpers import NARROW, SIZE, SPACING, publish, state
from safetensors.torch import save_file
from torch import nn

from prrt_estimators.exceptions import PretrainedWeightsError
from prrt_estimators.networks import load_weights
from prrt_estimators.networks._weight_files import NOTE, read_note, read_state
from prrt_estimators.pretrained import _sources as sources
from prrt_estimators.pretrained import find_weights


@pytest.fixture
def plain(tmp_path):
    file = tmp_path / "plain.safetensors"
    save_file(state(3), file)
    return file


def note(**changes):
    return {
        "modality": "ct",
        "encoder": "compact",
        "encoder_params": {},
        "size": [10, 11, 12],
        "spacing": [4.0, 5.0, 6.0],
        "window": [-100.0, 200.0],
        "seen": ["d1", "d2"],
    } | changes


def noted(folder, **changes):
    file = folder / "noted.safetensors"
    save_file(state(4), file, {NOTE: json.dumps(note(**changes))})
    return file


# What is found --------------------------------------------------------------------------------------------------------


def test_by_name_the_registry_decides(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path, seed=2, standardise=True)
    source = find_weights("small", modality="ct")
    assert (source.size, source.spacing, source.window) == (SIZE, SPACING, (-1000.0, 1000.0))
    assert source.own_grid
    assert source.form.standardise
    loaded, made = source.load(SIZE).network.state_dict(), state(2)
    assert loaded.keys() == made.keys()
    assert all(torch.equal(loaded[key], made[key]) for key in made)
    assert all(value.device.type == "cpu" for value in loaded.values())


def test_by_path_the_caller_decides(plain):
    source = find_weights(plain, modality="pet", encoder="compact")
    assert (source.size, source.spacing, source.window) == (None, None, None)
    assert not source.own_grid
    assert not source.seen
    assert source.label == "plain.safetensors"
    encoder = source.load((8, 8, 8))
    assert torch.equal(encoder.network.conv1.weight, state(3)["conv1.weight"])
    assert encoder(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 128)


def test_a_file_of_this_library_tells_its_own(tmp_path):
    source = find_weights(noted(tmp_path), modality="ct")
    assert (source.size, source.spacing, source.window) == ((10, 11, 12), (4.0, 5.0, 6.0), (-100.0, 200.0))
    assert source.seen == {"d1", "d2"}
    assert not source.own_grid
    assert find_weights(noted(tmp_path, window=None), modality="ct").window is None


def test_half_precision_is_computed_in_single(tmp_path):
    save_file(
        {key: value.half() if value.is_floating_point() else value for key, value in state().items()},
        tmp_path / "h.safetensors",
    )
    network = find_weights(tmp_path / "h.safetensors", modality="ct").load((8, 8, 8)).network
    assert {value.dtype for value in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s}], ids=["bare", "in a checkpoint"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_usual_ways_of_saving_are_read(tmp_path, wrap, prefix):
    torch.save(wrap({prefix + key: value for key, value in state(5).items()}), tmp_path / "w.pt")
    assert torch.equal(read_state(tmp_path / "w.pt")["conv1.weight"], state(5)["conv1.weight"])


def test_only_the_encoder_is_taken_of_a_larger_model(tmp_path):
    inside = {f"image.{key}": value for key, value in state(6).items()}
    torch.save(inside | {"image.head.weight": torch.ones(1), "text.weight": torch.ones(1)}, tmp_path / "w.pt")
    found = read_state(tmp_path / "w.pt", prefix="image.", heads=("head.",))
    assert found.keys() == state(6).keys()


def test_what_was_read_does_not_change_with_the_file(plain, tmp_path):
    before = find_weights(plain, modality="ct").load((8, 8, 8)).network.conv1.weight
    kept = before.detach().clone()
    save_file(state(9), tmp_path / "new.safetensors")
    shutil.copyfile(tmp_path / "new.safetensors", plain)
    assert torch.equal(before, kept)


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "kind", "message"),
    [
        (
            "mermaid",
            PretrainedWeightsError,
            "`weights`: there are no weights called 'mermaid' .* known are merlin, astra",
        ),
        ("none.safetensors", FileNotFoundError, "`weights`: the file none.safetensors does not exist. Pass the path"),
        ("no/such", FileNotFoundError, "the file no/such does not exist"),
        (".", FileNotFoundError, "does not exist"),
    ],
)
def test_weights_that_are_nowhere(weights, kind, message):
    with pytest.raises(kind, match=message):
        find_weights(weights, modality="ct", parameter="weights")


def test_weights_of_another_modality(tmp_path):
    with pytest.raises(PretrainedWeightsError, match="`weights`: 'astra' is for CT, not for PET"):
        find_weights("astra", modality="pet", parameter="weights")
    with pytest.raises(PretrainedWeightsError, match=r"noted\.safetensors was pretrained on PET, not on CT"):
        find_weights(noted(tmp_path, modality="pet"), modality="ct")


class Own(nn.Module):
    pass


@pytest.mark.parametrize("encoder", ["resnet18", Own])
def test_an_encoder_that_contradicts_the_weights(monkeypatch, tmp_path, encoder):
    publish(monkeypatch, tmp_path)
    for weights in ("small", noted(tmp_path)):
        with pytest.raises(
            PretrainedWeightsError, match=r"are of the encoder 'compact', but `encoder` is '(resnet18|Own)'"
        ):
            find_weights(weights, modality="ct", encoder=encoder)
        assert find_weights(weights, modality="ct", encoder="compact").encoder == "compact"


def test_parameters_of_the_encoder_that_contradict_the_weights(monkeypatch, tmp_path):
    publish(monkeypatch, tmp_path)
    with pytest.raises(PretrainedWeightsError, match="leave encoder_params None"):
        find_weights("small", modality="ct", encoder_params={"conv1_t_stride": 1})
    file = noted(tmp_path, encoder_params={"conv1_t_stride": [1, 2, 2]})
    with pytest.raises(PretrainedWeightsError, match=r"made with encoder_params .*\[1, 2, 2\].* leave"):
        find_weights(file, modality="ct", encoder_params={"conv1_t_stride": 1})
    assert find_weights(file, modality="ct", encoder_params={"conv1_t_stride": (1, 2, 2)}).encoder == "compact"


def test_missing_extra_and_misshapen_keys_are_counted_and_listed(tmp_path):
    tensors = state()
    for key in ("conv1.weight", "bn1.bias"):
        del tensors[key]
    tensors |= {"fc.weight": torch.ones(2), "layer1.0.conv1.weight": torch.ones(3)}
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(PretrainedWeightsError) as caught:
        find_weights(tmp_path / "w.safetensors", modality="ct", parameter="weights").load((8, 8, 8))
    text = str(caught.value)
    assert text.startswith("`weights`: w.safetensors does not fit ResNet")
    assert "2 missing: conv1.weight, bn1.bias" in text
    assert "1 extra: fc.weight" in text
    assert "1 of another shape: layer1.0.conv1.weight: file (3,), network (16, 16, 3, 3, 3)" in text
    assert "Choose the encoder" in text


def test_another_architecture_names_the_first_eight_keys(plain):
    with pytest.raises(PretrainedWeightsError, match=r"\d\d missing: .*, \.\.\.; .*extra"):
        find_weights(plain, modality="ct", encoder="resnet50").load((8, 8, 8))


def test_an_own_class_is_filled_strictly(tmp_path):
    save_file({"weight": torch.full((2, 1, 3, 3, 3), 0.5), "bias": torch.ones(2)}, tmp_path / "w.safetensors")
    params = {"in_channels": 1, "out_channels": 2, "kernel_size": 3}
    encoder = find_weights(tmp_path / "w.safetensors", modality="ct", encoder=nn.Conv3d, encoder_params=params).load(
        (3,) * 3
    )
    assert encoder(torch.ones(1, 1, 3, 3, 3)).tolist() == [[14.5, 14.5]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("half.pt", lambda raw: raw[: len(raw) // 2], "is damaged or no weight file. Fetch it again"),
        ("empty.pt", lambda raw: b"", "is damaged or no weight file"),
        ("page.pt", lambda raw: b"<html>404</html>" * 9, "is damaged or no weight file"),
        ("page.safetensors", lambda raw: b"<html>404</html>" * 9, "is damaged or no weight file"),
        ("empty.safetensors", lambda raw: b"", "is damaged or no weight file"),
    ],
)
def test_damaged_files(tmp_path, name, content, message):
    torch.save(state(), tmp_path / "w.pt")
    (tmp_path / name).write_bytes(content((tmp_path / "w.pt").read_bytes()))
    with pytest.raises(PretrainedWeightsError, match=f"{name} {message}"):
        find_weights(tmp_path / name, modality="ct").load((8, 8, 8))


def test_a_safetensors_file_cut_short(plain):
    plain.write_bytes(plain.read_bytes()[:-100])
    assert read_note(plain) is None
    with pytest.raises(PretrainedWeightsError, match="damaged"):
        find_weights(plain, modality="ct").load((8, 8, 8))


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_pickle_is_not_executed(tmp_path, capsys):
    torch.save({"conv1.weight": Evil()}, tmp_path / "w.pt")
    with pytest.raises(PretrainedWeightsError, match="holds more than tensors, which is not read for safety"):
        find_weights(tmp_path / "w.pt", modality="ct").load((8, 8, 8))
    assert capsys.readouterr().out == ""
    torch.save([torch.ones(1)], tmp_path / "list.pt")
    with pytest.raises(PretrainedWeightsError, match="holds list, not a state dict"):
        read_state(tmp_path / "list.pt")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError("no"), MemoryError, "no"),
        (PermissionError(13, "Permission denied"), PretrainedWeightsError, "cannot be read .Permission denied"),
    ],
)
def test_trouble_of_the_machine_is_not_blamed_on_the_file(tmp_path, monkeypatch, error, kind, message):
    torch.save(state(), tmp_path / "w.pt")

    def refuse(*args, **options):
        raise error

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(kind, match=message):
        read_state(tmp_path / "w.pt")


def test_a_file_that_was_exchanged_is_noticed_when_it_is_read(plain):
    source = find_weights(plain, modality="ct")
    save_file(state(8), plain)
    with pytest.raises(PretrainedWeightsError, match=r"plain\.safetensors was changed since .* Fit it again"):
        source.load((8, 8, 8))


def test_load_weights_fills_a_network_in_place(plain):
    from prrt_estimators.networks import build_network

    network = build_network("compact", None)
    load_weights(network, plain)
    assert torch.equal(network.conv1.weight, state(3)["conv1.weight"])


# One encoder for all --------------------------------------------------------------------------------------------------


def test_one_encoder_serves_everyone_who_asks_for_the_same(plain, tmp_path, monkeypatch):
    publish(monkeypatch, tmp_path, seed=3)
    first = sources.shared_encoder(find_weights(plain, modality="ct"), (8, 8, 8))
    assert sources.shared_encoder(find_weights(plain, modality="pet"), (8, 8, 8)) is first
    assert not first.training
    assert not any(parameter.requires_grad for parameter in first.parameters())
    assert sources.shared_encoder(find_weights(plain, modality="ct"), (9, 8, 8)) is not first


def test_the_same_tensors_with_another_input_are_another_encoder(tmp_path, monkeypatch):
    made = publish(monkeypatch, tmp_path, standardise=True, size=None, spacing=None)
    named = sources.shared_encoder(find_weights("small", modality="ct"), (8, 8, 8))
    by_path = sources.shared_encoder(find_weights(made, modality="ct"), (8, 8, 8))
    assert named.form.standardise
    assert not by_path.form.standardise


def test_another_thread_cannot_exchange_the_encoder_on_its_way_out(plain, monkeypatch):
    mine, another = object(), object()

    class JustThen:
        def __ne__(self, key):
            sources._last = ("another", another)
            return False

    monkeypatch.setattr(sources, "_last", (JustThen(), mine))
    assert sources.shared_encoder(find_weights(plain, modality="ct"), (8, 8, 8)) is mine


def test_a_network_without_memory_is_filled_with_every_tensor(tmp_path, monkeypatch):
    publish(monkeypatch, tmp_path, encoder="resnet10", encoder_params=NARROW)
    loaded = find_weights("small", modality="ct").load(SIZE)
    assert not any(value.is_meta for value in loaded.state_dict().values())
    assert loaded.eval()(torch.rand(1, 1, *SIZE)).shape == (1, loaded.out_features)
