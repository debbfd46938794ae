import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from prrt_estimators._batches import EvenBatches, PatientDataset
from prrt_estimators._device import resolve_device, use_autocast


@given(n=st.integers(2, 200), size=st.integers(2, 32))
def test_batches_hold_every_patient_once_and_never_one_alone(n, size):
    batches = list(EvenBatches(n, size, shuffle=True))
    assert sorted(row for batch in batches for row in batch) == list(range(n))
    sizes = [len(batch) for batch in batches]
    assert min(sizes) >= 2
    assert max(sizes) - min(sizes) <= 1
    # Batches of two, where an odd one is left over, grow to three.
    assert max(sizes) <= max(size, 3)


def test_order_is_new_in_each_epoch_and_kept_for_prediction():
    batches = EvenBatches(50, 8, shuffle=True)
    assert list(batches) != list(batches)
    assert [row for batch in EvenBatches(50, 8, shuffle=False) for row in batch] == list(range(50))
    assert len(EvenBatches(5, 1, shuffle=True)) == 5


def test_volumes_are_the_same_whether_held_or_read_by_batch(monkeypatch):
    data = np.random.default_rng(0).random((5, 3, 3, 3)).astype(np.float32)
    present = np.array([[1], [1], [0], [1], [1]], dtype=bool)
    calls = []

    class Read:
        shape = (3, 3, 3)

        def load(self, row):
            calls.append(row)
            return data[row]

    def dataset():
        return PatientDataset({"pet": Read()}, None, present, ["pet"], {"pet": (3, 3, 3)}, hold=True)

    held = dataset()
    assert sorted(calls) == [0, 1, 3, 4]
    held.__getitems__([0, 2])
    assert len(calls) == 4
    monkeypatch.setenv("PRRT_MEMORY_LIMIT", "10 B")
    streamed = dataset()
    assert len(calls) == 4
    for rows in ([0, 2], [4, 3, 1]):
        a, b = held.__getitems__(rows)[0], streamed.__getitems__(rows)[0]
        assert torch.equal(a["pet"], b["pet"])
        assert torch.equal(a["present"], b["present"])
    assert (streamed.__getitems__([2])[0]["pet"] == 0).all()


def test_a_gpu_holds_the_patients_while_training_if_half_of_its_memory_does(monkeypatch):
    class Read:
        shape = (2, 2, 2)

        def load(self, row):
            return np.full(self.shape, row, dtype=np.float32)

    def dataset():
        present, table = np.ones((5, 2), dtype=bool), np.arange(10, dtype=np.float32).reshape(5, 2)
        target = {"class": np.arange(5, dtype=np.float32)}
        return PatientDataset({"pet": Read()}, table, present, ["pet", "lab"], {"pet": (2, 2, 2)}, target, hold=True)

    def devices(patients):
        inputs, target = patients.__getitems__([0, 3])
        return {inputs["pet"].device.type, inputs["lab"].device.type, target["class"].device.type}

    gpu, patients = torch.device("meta"), dataset()
    size = 5 * 8 * 4
    for free, expected in ((2 * size + 2, "meta"), (2 * size, "cpu")):
        monkeypatch.setattr("prrt_estimators._batches._free", lambda device, free=free: free)
        with patients.on(gpu):
            assert devices(patients) == {expected}
        assert devices(patients) == {"cpu"}
    assert patients.__getitems__([3])[0]["pet"].unique().tolist() == [3.0]
    monkeypatch.setattr("prrt_estimators._batches._free", lambda device: 10 * size)
    monkeypatch.setenv("PRRT_MEMORY_LIMIT", "10 B")
    streamed = dataset()
    with streamed.on(gpu):
        assert devices(streamed) == {"cpu"}


def test_devices_and_precision():
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(ValueError, match="`device` must be"):
        resolve_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA GPU here"):
            resolve_device("cuda")
    assert not use_autocast("auto", torch.device("cpu"))
    assert not use_autocast("float32", torch.device("cuda"))
