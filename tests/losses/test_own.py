"""Custom losses: registering, reading from a file, and the messages for mistakes."""

from __future__ import annotations

import copy
import pickle
import pickletools
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from autoloss import losses
from autoloss.core.errors import InputError
from autoloss.core.own_code import Origin
from autoloss.losses import FloatParam, LossSpec, declare, load_losses, registry
from autoloss.losses.own import files_of, recall, register, take_in
from autoloss.losses.registry import OWN, forget_results

GENTLE = '''
from autoloss.losses import FloatParam, Special, declare, get


@declare(
    source="here",
    local=True,
    aliases=("mild",),
    special=(Special(at={"a": 1.0}, equals="cross_entropy"),),
    a=FloatParam(0.5, 2.0, default=1.5),
)
def gentle(log_p, *, a):
    """Scale the log score."""
    return -a * log_p


from autoloss.losses.bases.focal import focal  # not declared here
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(GENTLE, encoding="utf-8")
    return path


def steep(log_p, *, power):
    """Cross-entropy to a power."""
    return (-log_p) ** power


def declared(function=steep, **changes):
    given = {"source": "here", "local": True, "power": FloatParam(1.0, 3.0, default=2.0)}
    return declare(**{**given, **changes})(function)


def test_a_registered_loss_is_known_everywhere():
    before = losses.names()
    loss = register(declared())
    assert losses.names() == (*before, "steep")
    assert losses.get("steep") is loss
    spec = LossSpec.from_dict({"base": "steep", "steep.power": 3.0})
    assert spec.to_dict() == {"base": "steep", "steep.power": 3.0}
    assert losses.parameter("steep.power").default == 2.0
    logits, targets = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    assert_close(spec.module()(logits, targets), loss(logits, targets, power=3.0)[0])
    assert register(loss) is loss


def test_the_caches_are_right_before_and_after():
    with pytest.raises(InputError, match="'steep'"):
        LossSpec("steep")
    assert not losses.parameters_of("steep")
    assert "steep.power" not in losses.all_parameters()
    register(declared())
    assert set(losses.parameters_of("steep")) == {"steep.power"}
    assert "steep.power" in losses.all_parameters()
    assert "steep" in losses.names(task="multilabel")


def test_a_loss_declared_again_takes_the_place_of_what_it_was():
    register(declared())
    again = register(declared(power=FloatParam(1.0, 5.0, default=4.0)))
    assert losses.get("steep") is again
    assert losses.parameter("steep.power").default == 4.0


def test_only_a_loss_that_keeps_the_contract_is_registered():
    with pytest.raises(InputError, match=r"^steep must allow the default and both ends"):
        register(declared(power=FloatParam(1.0, 3.0, default=4.0)))
    assert "steep" not in losses.names()
    with pytest.raises(InputError, match=r"must be declared with @autoloss\.losses\.declare"):
        register(steep)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="but got 3"):
        take_in(3)  # type: ignore[arg-type]


def named(name: str, parameter: str = "power"):
    """Return the function under another name, declared elsewhere."""
    space: dict[str, object] = {}
    exec(
        f"def {name}(log_p, *, {parameter}):\n    '''Steep.'''\n    return (-log_p)**{parameter}",
        space,
    )
    return space[name]


@pytest.mark.parametrize(
    ("name", "aliases", "what"),
    [
        ("focal", (), "'focal', which is a loss already"),
        ("cosface", (), "'cosface', which is another name of am_softmax already"),
        ("smoothing", (), "'smoothing', which is a target already"),
        ("class_weight", (), "'class_weight', which is a prior already"),
        ("mmce", (), "'mmce', which is a penalty already"),
        ("training", (), "'training', which is a setting already"),
        ("none", (), "'none', which is a setting already"),
        ("fine", ("brier",), "'brier', which is a loss already"),
    ],
)
def test_a_name_that_is_taken_is_refused(name: str, aliases, what: str):
    with pytest.raises(InputError) as error:
        register(declared(named(name), aliases=aliases))
    assert str(error.value) == f"a custom loss must have a new name, but got {what}."


def test_a_name_of_another_loss_of_ones_own_is_refused():
    register(declared())
    with pytest.raises(InputError, match="'steep', which is a loss already"):
        register(declared(named("steep")))


def test_a_parameter_is_not_called_as_the_end_of_a_range():
    loss = declare(source="here", local=True, low=FloatParam(1.0, 3.0, default=2.0))
    with pytest.raises(InputError, match=r"like a key of a range .* got 'low'"):
        register(loss(named("fine", "low")))


def test_aliases_name_a_loss_and_are_not_listed():
    assert losses.get("cosface") is losses.get("am_softmax")
    assert "cosface" not in losses.names()
    register(declared(aliases=("abrupt",)))
    assert losses.get("abrupt") is losses.get("steep")
    assert "abrupt" not in losses.names()
    with pytest.raises(InputError, match="did you mean 'abrupt'"):
        losses.get("abrubt")


def test_a_file_gives_the_losses_that_it_declares(file: Path):
    (loss,) = load_losses(file)
    assert loss.name == "gentle"
    assert losses.get("mild") is losses.get("gentle") is loss
    assert losses.get("focal").function.__module__ == "autoloss.losses.bases.focal"
    # Nothing is left beside the file.
    assert list(file.parent.iterdir()) == [file]


def test_the_same_file_again_is_harmless_and_a_changed_one_is_read_anew(file: Path):
    (loss,) = load_losses(file)
    assert load_losses(str(file)) == (loss,)
    file.write_text(GENTLE.replace("default=1.5", "default=1.2"), encoding="utf-8")
    (changed,) = load_losses(file)
    assert changed is not loss
    assert losses.get("gentle").parameters["a"].default == 1.2


def test_several_losses_of_a_file_may_name_each_other(file: Path):
    file.write_text(
        GENTLE + "\n@declare(source='here', local=True, special=(Special(at={}, equals='gentle',"
        " using={'a': 1.0}),))\ndef plain(log_p):\n    '''Be plain.'''\n    return -log_p\n",
        encoding="utf-8",
    )
    assert [loss.name for loss in load_losses(file)] == ["gentle", "plain"]


def test_a_file_with_one_bad_loss_registers_none(file: Path):
    file.write_text(
        GENTLE + "\n@declare(source='here')\ndef total(logits, targets):\n"
        "    '''Sum.'''\n    return logits.sum()\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match=r"^mine\.py: total must give one value per example"):
        load_losses(file)
    assert "gentle" not in losses.names()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "must declare a loss with @autoloss.losses.declare, but it has none."),
        (
            "from autoloss.losses.bases.focal import focal\n",
            "must declare a loss with @autoloss.losses.declare, but it has none.",
        ),
        ("x = (1\n", "must be a Python file, but got line 1: '(' was never closed."),
        ("\0", "must be a Python file, but got source code string cannot contain null bytes."),
        (
            "\ndef fail():\n    return 1 / 0\n\nfail()\n",
            "must be imported without an error, but got line 3: "
            "ZeroDivisionError: division by zero.",
        ),
        (
            "import autoloss\nimport no_such_module\n",
            "must be imported without an error, but got line 2: "
            "ModuleNotFoundError: No module named 'no_such_module'.",
        ),
        ("raise SystemExit(3)\n", "but got line 1: SystemExit: 3."),
        (
            "from autoloss.losses import declare\n\n@declare(source='here')\n"
            "def mine(z, y):\n    '''Take others.'''\n",
            "but got line 3: TypeError: mine must take ['logits', 'targets'] (local=False), "
            "but got ['z', 'y'].",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_with_the_place(file: Path, text: str, message):
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_losses(file)
    line = str(error.value)
    assert line.startswith(f"{file} must ")
    assert line.endswith(message)
    assert "\n" not in line


@pytest.mark.parametrize("name", ["nowhere.py", "."])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str):
    with pytest.raises(InputError, match="losses must be a Python file that can be read, but got"):
        load_losses(tmp_path / name)


def test_a_loss_of_a_file_is_pickled_by_name(file: Path):
    (loss,) = load_losses(file)
    assert pickle.loads(pickle.dumps(loss)) is loss
    module = LossSpec("gentle").module()
    again = pickle.loads(pickle.dumps(module))
    logits, targets = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
    assert again(logits, targets) == module(logits, targets)


def test_a_pickle_is_read_in_another_process_too(file: Path):
    load_losses(file)
    pickled = pickle.dumps([losses.get("gentle"), losses.get("focal")])
    script = (
        "import pickle\n"
        f"found = pickle.loads({pickled!r})\n"
        "from autoloss.losses import get\n"
        "assert found == [get('gentle'), get('focal')]\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_registered_loss_is_pickled_wherever_it_was_declared():
    def inside(log_p):
        """Be declared in a function."""
        return -log_p

    loss = declare(source="here", local=True)(inside)
    register(loss)
    found = pickle.dumps(loss)
    assert pickle.loads(found) is copy.deepcopy(loss) is loss
    forget()
    with pytest.raises(InputError, match="inside must be registered before its pickle is read"):
        pickle.loads(found)


def test_pickles_of_earlier_versions_are_read(file: Path):
    (loss,) = load_losses(file)
    path = str(file).encode()
    name, where = (b"X" + struct.pack("<I", len(text)) + text for text in (b"gentle", path))
    of_own = b"\x80\x02cautoloss.losses.own\n_restored\n" + name + where + b"\x86R."
    assert pickle.loads(of_own) is loss
    forget()
    assert "gentle" not in losses.names()
    assert pickle.loads(of_own) is losses.get("gentle")
    assert pickle.loads(b"cautoloss.losses.bases.focal\nfocal\n.") is losses.get("focal")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_name_the_loss_and_its_file(file: Path, protocol: int):
    (loss,) = load_losses(file)
    calls = [
        argument
        for _, argument, _ in pickletools.genops(pickle.dumps(loss, protocol))
        if isinstance(argument, str)
    ]
    assert {"gentle", str(file)} <= set(calls)
    assert all(copied(loss) is loss for copied in (copy.copy, copy.deepcopy))


def test_a_loss_that_comes_with_autoloss_is_pickled_before_any_is_registered():
    script = (
        "import pickle, sys\n"
        "from autoloss.losses.bases.focal import focal\n"
        "found = pickle.dumps(focal)\n"
        "assert 'autoloss.losses.own' not in sys.modules\n"
        "assert pickle.loads(found) is focal\n"
        "import autoloss.losses.own\n"
        "assert pickle.dumps(focal) == found\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_what_is_given_is_registered_with_its_origin(file: Path):
    loss = declared()
    found = take_in([loss, file])
    assert list(found) == ["steep", "gentle"]
    assert found["steep"] is None
    assert found["gentle"] is not None
    assert found["gentle"].file == str(file.resolve())
    assert take_in(None) == {}
    assert take_in(file) == {"gentle": found["gentle"]} == take_in(str(file))
    assert files_of([loss, file, "other.py"]) == (str(file), "other.py")
    assert files_of(None) == ()


def forget() -> None:
    """Be another process, which knows nothing yet."""
    OWN.clear()
    forget_results()


def test_a_study_finds_its_losses_again(file: Path):
    known = take_in(file)
    forget()
    assert recall(known, given=None, study="s") == known
    assert "gentle" in losses.names()
    forget()
    moved = file.rename(file.with_name("moved.py"))
    message = r"gentle must be given to continue, .*mine\.py does not exist"
    with pytest.raises(InputError, match=message):
        recall(known, given=None, study="s")
    found = recall(known, given=moved, study="s")["gentle"]
    assert found is not None
    assert found.file == str(moved.resolve())


def test_a_study_does_not_go_on_with_another_loss_of_the_same_name(file: Path):
    known = take_in(file)
    forget()
    file.write_text(GENTLE.replace('source="here"', 'source="there"'), encoding="utf-8")
    with pytest.raises(InputError, match=r"mine\.py must be as it was when s began"):
        recall(known, given=None, study="s")


def test_a_loss_that_no_file_holds_must_be_given_again():
    loss = declared()
    known: dict[str, Origin | None] = take_in(loss)
    forget()
    with pytest.raises(InputError, match=r"steep must be given to continue, .*no file has it"):
        recall(known, given=None, study="s")
    assert recall(known, given=loss, study="s") == {"steep": None}
    assert losses.get("steep") is loss


def test_two_shipped_losses_never_share_a_name():
    every = [name for loss in registry.shipped().values() for name in (loss.name, *loss.aliases)]
    assert len(every) == len(set(every))
