import pytest

from psa_tui.errors import ConfigError
from psa_tui.method.hyperparameters import Hyperparameters
from psa_tui.method.variants import NONE
from psa_tui.settings import SETTINGS, load_settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for setting in SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)


def test_the_defaults_are_those_of_the_study(tmp_path):
    config = load_settings({}, tmp_path).run_config()
    trial = config.trial
    assert (str(trial.network), trial.network.family, trial.network.inputs) == ("[1*1024]", "mlp", 784)
    assert (trial.variant, trial.meta_loops, config.threads) == (NONE, 100, None)
    assert trial.hyperparameters == Hyperparameters(learning_rate=1e-4, batch_size=256, weight_decay=1e-4, dropout=0.1)


def test_a_seed_that_nobody_said_is_another_one_each_time(tmp_path):
    settings = load_settings({}, tmp_path)
    assert settings.get("seed") is None
    assert len({settings.run_config().trial.seed for _ in range(3)}) == 3


def test_flag_beats_environment_beats_dotenv_beats_toml_beats_default(tmp_path, monkeypatch):
    flags = {"lr": None}

    def found():
        value = load_settings(flags, tmp_path).find("lr")
        return value.value, value.origin

    assert found() == (1e-4, "default")
    (tmp_path / "psa.toml").write_text("lr = 1e-3\n")
    assert found() == (1e-3, "lr in psa.toml")
    (tmp_path / ".env").write_text("PSA_LR=2e-3\nAWS_REGION=elsewhere\n")
    assert found() == (2e-3, "PSA_LR in .env")
    monkeypatch.setenv("PSA_LR", "3e-3")
    assert found() == (3e-3, "PSA_LR")
    flags["lr"] = "4e-3"
    assert found() == (4e-3, "--lr")


def test_a_checkpoint_stands_before_the_defaults_and_pinned_values_before_everything(tmp_path):
    settings = load_settings({"lr": "1e-2", "hidden_layers": "5"}, tmp_path)
    said = {"lr": "1e-3", "batch_size": "32", "arch": "[1*64]"}
    behind = settings.with_checkpoint(said)
    assert behind.hyperparameters() == Hyperparameters(learning_rate=1e-2, batch_size=32)
    assert str(behind.network().value) == "[1*5]"
    pinned = settings.with_checkpoint(said, pinned=("lr", "arch"))
    assert pinned.hyperparameters() == Hyperparameters(learning_rate=1e-3, batch_size=32)
    assert str(pinned.network().value) == "[1*64]"


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("lr", ["0", "-1", "nan", "inf", "11", "x", ""]),
        ("batch_size", ["0", "-1", "1.5", "x", "1000001", "٣"]),
        ("meta_loops", ["0", "-3", "1e3"]),
        ("weight_decay", ["-0.1", "1", "nan"]),
        ("dropout", ["-0.1", "1", "2", "inf"]),
        ("seed", ["-1", str(2**63), "abc"]),
        ("threads", ["0", "-1", "9999"]),
        ("num_workers", ["-1"]),
        ("mode", ["all", "NONE", ""]),
        ("dataset", ["cifar", ""]),
        ("device", ["gpu", "cuda:99"]),
        ("model_dir", ["", "a\0b"]),
        ("debug", ["maybe"]),
    ],
)
def test_a_value_outside_its_range_is_refused_in_one_line_that_names_where_it_came_from(tmp_path, name, bad):
    for text in bad:
        with pytest.raises(ConfigError) as caught:
            load_settings({name: text}, tmp_path).find(name)
        message = str(caught.value)
        assert message.startswith("--" + name.replace("_", "-") + ": expected ")
        assert "\n" not in message


def test_a_batch_has_no_more_images_than_there_are_but_a_checkpoint_may_say_what_it_was_trained_with(tmp_path):
    said = {"batch_size": "4001", "dataset": "mnist5k"}
    with pytest.raises(ConfigError, match="--batch-size: expected at most the 4,000 training images of mnist5k, found"):
        load_settings(said, tmp_path).run_config()
    load_settings({"batch_size": "50000"}, tmp_path).run_config()
    resumed = load_settings({"dataset": "mnist5k"}, tmp_path).with_checkpoint({"batch_size": "1000000"})
    assert resumed.run_config().trial.hyperparameters.batch_size == 1_000_000


def test_hidden_layers_are_the_other_way_to_say_the_architecture(tmp_path):
    (tmp_path / "psa.toml").write_text('arch = "[1*7]"\n')
    settings = load_settings({"hidden_layers": "512,256"}, tmp_path)
    assert str(settings.network().value) == "[1*512, 1*256]"
    with pytest.raises(ConfigError, match="--arch and --hidden-layers name two architectures"):
        load_settings({"hidden_layers": "512", "arch": "[1*7]"}, tmp_path).network()


def test_a_folder_where_psa_toml_is_expected_is_not_passed_over(tmp_path):
    (tmp_path / "psa.toml").mkdir()
    with pytest.raises(ConfigError, match=r"psa\.toml: is no file; move it away"):
        load_settings({}, tmp_path)


def test_a_misspelt_key_in_psa_toml_is_named_with_a_suggestion(tmp_path):
    (tmp_path / "psa.toml").write_text("meta-lops = 3\n")
    with pytest.raises(ConfigError, match=r"'meta-lops' is no setting .*; did you mean 'meta_loops'\?"):
        load_settings({}, tmp_path)


@pytest.mark.parametrize(
    ("variable", "end"),
    [
        ("PSA_LRR", "did you mean PSA_LR?"),
        ("PSA_DATASETDIR", "did you mean PSA_DATASET_DIR?"),
        ("PSA_EPOCHS", "remove it"),
    ],
)
def test_a_misspelt_variable_is_refused_in_the_environment_and_in_dotenv(tmp_path, monkeypatch, variable, end):
    with monkeypatch.context() as changed:
        changed.setenv(variable, "2")
        with pytest.raises(ConfigError) as refused:
            load_settings({}, tmp_path)
        assert str(refused.value) == (f"the environment: {variable} is no setting (psa train --help lists them); {end}")
    (tmp_path / ".env").write_text(f"{variable}=2\n")
    with pytest.raises(ConfigError) as refused:
        load_settings({}, tmp_path)
    assert str(refused.value).startswith(f"{tmp_path / '.env'}: {variable} is no setting ")


def test_variables_of_other_programs_and_of_our_own_scripts_are_left_alone(tmp_path, monkeypatch):
    for name in ("PSA_ML_ROOT", "PSA_TOOLS_FAULTS", "PSALM", "_PSA_COMPLETE"):
        monkeypatch.setenv(name, "x")
    (tmp_path / ".env").write_text("AWS_REGION=elsewhere\nPSALM=x\nPSA_LR=1e-3\n")
    assert load_settings({}, tmp_path).get("lr") == 1e-3


@pytest.mark.parametrize("content", [b"lr = ", b"\xff\xfe", b"lr = [1]"])
def test_a_faulty_psa_toml_is_refused_by_name(tmp_path, content):
    (tmp_path / "psa.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"psa\.toml"):
        load_settings({}, tmp_path)


PATHS = [name for name, setting in SETTINGS.items() if setting.metavar in ("DIR", "FILE")]
NESTED = "x = " + "[" * 100_000


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("text", ["~/here", "/tmp/here", "../here", "link/here"])
def test_files_of_a_folder_name_no_path_outside_it_but_the_command_line_and_the_environment_may(
    tmp_path, monkeypatch, name, text
):
    (tmp_path / "link").symlink_to(tmp_path.parent)
    for file, content in ((".env", f"PSA_{name.upper()}={text}"), ("psa.toml", f'{name} = "{text}"')):
        (tmp_path / file).write_text(content)
        with pytest.raises(ConfigError, match="expected a path inside this folder"):
            load_settings({}, tmp_path).find(name)
        with pytest.raises(ConfigError, match="expected a path inside this folder"):
            load_settings({}, tmp_path).with_checkpoint({}, pinned=("arch",)).find(name)
        assert load_settings({name: text}, tmp_path).find(name).rank == 0
        with monkeypatch.context() as changed:
            changed.setenv(SETTINGS[name].variable, text)
            assert load_settings({}, tmp_path).find(name).rank == 1
        (tmp_path / file).unlink()


def test_files_of_a_folder_may_name_paths_inside_it(tmp_path):
    (tmp_path / "psa.toml").write_text('model_dir = "a/../b"\n')
    assert load_settings({}, tmp_path).get("model_dir").name == "b"


def test_dotenv_takes_in_no_other_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hidden-value")
    (tmp_path / ".env").write_text("PSA_LR=${SECRET}\n")
    with pytest.raises(ConfigError, match=r"found '\$\{SECRET\}'"):
        load_settings({}, tmp_path).get("lr")


def test_a_nested_psa_toml_is_one_line(tmp_path):
    (tmp_path / "psa.toml").write_text(NESTED)
    with pytest.raises(ConfigError, match=r"psa\.toml: cannot be read"):
        load_settings({}, tmp_path)


def test_paths_that_are_no_utf_8_are_refused_at_the_door(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="--model-dir: expected a path in UTF-8"):
        load_settings({"model_dir": "caf\udce9"}, tmp_path).get("model_dir")
    (tmp_path / "caf\udce9").mkdir()
    monkeypatch.chdir(tmp_path / "caf\udce9")
    with pytest.raises(ConfigError, match="expected a path in UTF-8, in a folder whose own path is"):
        load_settings({}).get("model_dir")
    (tmp_path / "caf\udce9").rmdir()
    with pytest.raises(ConfigError, match="the current folder is not there any more"):
        load_settings({}).get("model_dir")


ADDRESS = "slack://hunter2token/C/#one,#two"


def test_targets_of_notifications_are_repeated_or_listed_and_addresses_keep_their_commas(tmp_path):
    for said in (
        ["bell", ADDRESS, "json://host/x?a=1,2", "desktop"],
        [f"bell , {ADDRESS},json://host/x?a=1,2,desktop"],
    ):
        found = load_settings({"notify": said}, tmp_path).get("notify")
        assert [target.text for target in found.all] == ["bell", ADDRESS, "json://host/x?a=1,2", "desktop"]
    assert (str(found), repr(found)) == ("bell, slack://..., json://..., desktop",) * 2
    assert load_settings({"notify": []}, tmp_path).find("notify") is None


@pytest.mark.parametrize(
    "text", ["bells", "hunter2token", "bell,hunter2token", "json://", "bell,,desktop", "/hunter2/x"]
)
def test_a_target_that_is_none_is_refused_and_not_quoted(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        load_settings({"notify": text}, tmp_path).find("notify")
    assert str(caught.value).startswith("--notify: expected bell, desktop or an Apprise URL such as json://HOST/PATH")
    assert "hunter2" not in str(caught.value)


def test_files_of_a_folder_ring_a_bell_and_send_nothing_anywhere(tmp_path, monkeypatch):
    for file, line in ((".env", "PSA_NOTIFY={}"), ("psa.toml", "notify = '{}'")):
        (tmp_path / file).write_text(line.format("bell,desktop"))
        assert str(load_settings({}, tmp_path).get("notify")) == "bell, desktop"
        (tmp_path / file).write_text(line.format(f"bell,{ADDRESS}"))
        with pytest.raises(ConfigError, match=r"only --notify, or PSA_NOTIFY in the environment, may name") as caught:
            load_settings({}, tmp_path).find("notify")
        assert "hunter2" not in str(caught.value)
        with monkeypatch.context() as changed:
            changed.setenv("PSA_NOTIFY", ADDRESS)
            assert load_settings({}, tmp_path).get("notify").have_address
        (tmp_path / file).unlink()
