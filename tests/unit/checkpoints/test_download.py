"""Downloads from a hub that speaks real HTTP: whole, resumed, checked, refused."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from folio.checkpoints import DownloadProgress, describe, describe_at_hub, download_model
from folio.checkpoints import transfer as transfers
from folio.checkpoints.download import LOCK_NAME
from folio.checkpoints.folder import check_folder
from folio.checkpoints.hubs import Hub, HuggingFace, ModelScope
from folio.errors import ModelDownloadError, ModelFilesError
from tests.hub import ModelHub, running_hub
from tests.small_checkpoint import SHARD, write_small_checkpoint

MODEL_ID = "someone/nano"


@pytest.fixture(autouse=True)
def without_long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "_FIRST_PAUSE_SECONDS", 0.001)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ModelHub]:
    write_small_checkpoint(tmp_path / "hub")
    (tmp_path / "hub" / "assets").mkdir()
    (tmp_path / "hub" / "assets" / "page.png").write_bytes(b"a picture that nobody needs")
    (tmp_path / "hub" / "modeling.py").write_text("raise SystemExit('code of a stranger')")
    with running_hub(ModelHub(MODEL_ID, tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture(params=["Hugging Face", "ModelScope"])
def client_of(request: pytest.FixtureRequest, hub: ModelHub) -> Hub:
    return HuggingFace(hub.url) if request.param == "Hugging Face" else ModelScope(hub.url)


def download(hub: Hub, folder: Path, model_id: str = MODEL_ID) -> list[DownloadProgress]:
    news: list[DownloadProgress] = []
    download_model(hub, model_id, folder, news.append)
    return news


def assert_same(folder: Path, hub: ModelHub) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != LOCK_NAME:
            original = hub.folder / path.relative_to(folder)
            assert path.read_bytes() == original.read_bytes(), path.name


def test_a_model_arrives_whole_and_without_what_is_not_of_it(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    news = download(client_of, tmp_path / "model")
    assert_same(tmp_path / "model", hub)
    check_folder(tmp_path / "model")
    assert not list((tmp_path / "model").rglob("*.py"))
    assert not list((tmp_path / "model").rglob("*.png"))
    assert not list((tmp_path / "model").rglob("*.part"))
    assert news[-1].bytes_done == news[-1].num_bytes
    assert [item.bytes_done for item in news] == sorted(item.bytes_done for item in news)


def test_what_is_here_and_right_is_not_fetched_again(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    download(client_of, tmp_path / "model")
    hub.requests.clear()
    news = download(client_of, tmp_path / "model")
    assert hub.requests == []
    assert news[-1].bytes_done == news[-1].num_bytes


def test_a_connection_that_breaks_goes_on_from_there(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    hub.break_after_bytes[SHARD] = [15_000, 5_000, 0]
    download(client_of, tmp_path / "model")
    assert_same(tmp_path / "model", hub)
    ranges = hub.ranges_of(SHARD)
    assert ranges == [None, "bytes=15000-", "bytes=20000-", "bytes=20000-"]


def test_a_download_that_was_killed_goes_on_when_it_is_started_again(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    hub.break_after_bytes[SHARD] = [25_000, *[0] * transfers.MAX_FAILURES]
    with pytest.raises(ModelDownloadError, match=f"{SHARD} stopped at 25,000 of"):
        download(client_of, tmp_path / "model")
    hub.break_after_bytes.clear()
    hub.requests.clear()
    news = download(client_of, tmp_path / "model")
    assert hub.ranges_of(SHARD) == ["bytes=25000-"]
    assert_same(tmp_path / "model", hub)
    assert news[-1].bytes_done == news[-1].num_bytes


def test_a_server_that_knows_no_ranges_is_asked_for_everything(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    hub.ignores_range = True
    hub.break_after_bytes[SHARD] = [10_000]
    news = download(client_of, tmp_path / "model")
    assert_same(tmp_path / "model", hub)
    assert news[-1].bytes_done == news[-1].num_bytes


def test_a_busy_hub_is_asked_again(client_of: Hub, hub: ModelHub, tmp_path: Path) -> None:
    hub.failures[SHARD] = [503, 429, 500]
    download(client_of, tmp_path / "model")
    assert_same(tmp_path / "model", hub)


def test_a_wrong_file_is_fetched_once_more(client_of: Hub, hub: ModelHub, tmp_path: Path) -> None:
    hub.wrong_bytes[SHARD] = 1
    hub.wrong_bytes["tokenizer.json"] = 1
    download(client_of, tmp_path / "model")
    assert_same(tmp_path / "model", hub)


@pytest.mark.parametrize("name", [SHARD, "tokenizer.json"])
def test_a_file_that_stays_wrong_is_named_and_not_kept(
    client_of: Hub, hub: ModelHub, tmp_path: Path, name: str
) -> None:
    hub.wrong_bytes[name] = 2
    with pytest.raises(ModelDownloadError, match=f"{name} has twice arrived"):
        download(client_of, tmp_path / "model")
    assert not (tmp_path / "model" / name).exists()


def test_a_file_that_was_damaged_here_is_mended(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    download(client_of, tmp_path / "model")
    damaged = tmp_path / "model" / SHARD
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    hub.requests.clear()
    download(client_of, tmp_path / "model")
    assert_same(tmp_path / "model", hub)
    assert {name for name, _ in hub.requests} == {SHARD}


def test_the_rest_of_another_version_is_not_put_behind_a_part(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    hub.break_after_bytes[SHARD] = [25_000, *[0] * transfers.MAX_FAILURES]
    with pytest.raises(ModelDownloadError):
        download(client_of, tmp_path / "model")
    hub.break_after_bytes.clear()
    hub.requests.clear()
    newer = bytearray((hub.folder / SHARD).read_bytes())
    newer[-1] ^= 1
    (hub.folder / SHARD).write_bytes(newer)
    download(client_of, tmp_path / "model")
    assert hub.ranges_of(SHARD) == [None]
    assert_same(tmp_path / "model", hub)


def test_a_model_is_described_without_its_weights(client_of: Hub, hub: ModelHub) -> None:
    assert describe_at_hub(client_of, MODEL_ID) == describe(hub.folder)
    lengths = [wanted for name, wanted in hub.requests if name == SHARD]
    assert lengths[0] == "bytes=0-7"
    assert len(lengths) == 2


def test_a_hub_that_shows_no_part_is_not_read_for_a_plan(client_of: Hub, hub: ModelHub) -> None:
    hub.ignores_range = True
    with pytest.raises(ModelDownloadError, match="Download it first: folio model download"):
        describe_at_hub(client_of, MODEL_ID)


def test_two_that_download_one_model_do_not_mix_its_bytes(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: download(client_of, tmp_path / "model"), range(4)))
    assert_same(tmp_path / "model", hub)
    assert hub.ranges_of(SHARD) == [None]


def test_a_token_goes_to_the_hub(hub: ModelHub, tmp_path: Path) -> None:
    hub.token = "secret"
    with pytest.raises(ModelDownloadError, match="needs a token in HF_TOKEN"):
        download(HuggingFace(hub.url), tmp_path / "model")
    download(HuggingFace(hub.url, "secret"), tmp_path / "model")
    assert_same(tmp_path / "model", hub)


def test_an_unknown_model_is_told(client_of: Hub, tmp_path: Path) -> None:
    with pytest.raises(ModelDownloadError, match="Check the model's id"):
        download(client_of, tmp_path / "model", "someone/else")


def test_a_hub_out_of_reach_names_the_ways_around(tmp_path: Path) -> None:
    with pytest.raises(ModelDownloadError, match=r"HF_ENDPOINT to a mirror.*MODEL_HUB=modelscope"):
        download(HuggingFace("http://127.0.0.1:9"), tmp_path / "model")


def test_something_else_that_answers_is_told(hub: ModelHub, tmp_path: Path) -> None:
    (hub.folder / "page").mkdir()
    mirror = HuggingFace(f"{hub.url}/api/v1/models/{MODEL_ID}/repo/files?")
    with pytest.raises(ModelDownloadError, match="does not speak the API of Hugging Face"):
        download(mirror, tmp_path / "model")


def test_a_model_that_is_not_whole_at_the_hub_is_refused(
    client_of: Hub, hub: ModelHub, tmp_path: Path
) -> None:
    (hub.folder / SHARD).unlink()
    with pytest.raises(ModelFilesError, match=f"{SHARD} is missing"):
        download(client_of, tmp_path / "model")


def test_a_name_outside_the_folder_is_refused(hub: ModelHub, tmp_path: Path) -> None:
    from folio.checkpoints.download import wanted_files
    from folio.checkpoints.hubs import HubFile

    for path in ("../evil.json", "/etc/evil.json", "a/../../evil.json"):
        with pytest.raises(ModelDownloadError, match="outside the model"):
            wanted_files([HubFile(path, 1, "http://hub/", None)])


def test_a_full_disk_is_told_before_the_first_byte(hub: ModelHub, tmp_path: Path) -> None:
    from folio.checkpoints.download import check_disk
    from folio.checkpoints.hubs import HubFile

    with pytest.raises(ModelDownloadError, match=r"GB free\. Make room"):
        check_disk(tmp_path, [HubFile("a.safetensors", 10**18, "http://hub/", None)])
