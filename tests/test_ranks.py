"""Processes that train together take the steps of one alone."""

import math
import os
import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from rank_processes import Processes, together
from tiny_runs import (
    CONFIG,
    PLAN,
    Watcher,
    assert_same_weights,
    documents_of,
    make_loop,
    make_objective,
    run,
    weights_of,
)

from skelmo import ElmoLanguageModel
from skelmo.estimators.training_key import training_key
from skelmo.text.sequences import index_documents
from skelmo.training.ranks import (
    ALONE,
    RankLostError,
    Ranks,
    device_name,
    join,
    place,
)

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """Let no test be taken for one of several processes before it says so."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def inside(outside):
    """Return a function that sets what torchrun does."""

    def set_(**values):
        for name, value in values.items():
            outside.setenv(name, value)

    return set_


def test_one_alone_exchanges_nothing():
    loss, parameter = torch.tensor(1.5), torch.nn.Parameter(torch.ones(2))
    parameter.grad = gradient = torch.ones(2)
    assert ALONE.add_gradients([parameter], loss) is loss
    assert parameter.grad is gradient
    assert ALONE.first(0.1) == 0.1
    assert ALONE.agree(True, 0.1) == (True, 0.1)
    assert ALONE.spread(b"a") == b"a"
    np.testing.assert_array_equal(ALONE.total([0.1, 2.0]), [0.1, 2.0])
    assert ALONE.check_same({"a": "b"}, "Somebody") is None
    assert (ALONE.rank, ALONE.size, ALONE.is_first) == (0, 1, True)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_shares_are_a_partition_with_the_longest_first(size):
    batch = np.arange(20)[::-1]
    shares = [batch[Ranks(rank, size).share] for rank in range(size)]
    assert sorted(np.concatenate(shares)) == list(range(20))
    assert all((np.diff(share) < 0).all() for share in shares)
    n = [len(share) for share in shares]
    assert max(n) - min(n) <= 1


WITH_WORDS = replace(CONFIG, word_embedding_dim=5)
STEPS = {
    "full": {},
    "sampled": {"n_samples": 9},
    "words": {"plan": replace(PLAN, config=WITH_WORDS), "word_dropout": 0.4,
              "n_samples": 9},
    "misspelt": {"misspelling": 0.5, "n_samples": 9},
}  # fmt: skip


def gradients_of(objective, batch):
    objective.module.zero_grad()
    loss = objective.loss(batch, np.random.default_rng(3))
    if loss.requires_grad:
        loss.backward()
    found = {name: np.zeros(p.shape) for name, p in objective.module.named_parameters()}
    for name, p in objective.module.named_parameters():
        if p.grad is not None:
            found[name] += p.grad.to_dense().numpy()
    return loss.item(), found


@pytest.mark.parametrize("size", [2, 3, 50])
@pytest.mark.parametrize("given", STEPS.values(), ids=STEPS.keys())
def test_parts_of_a_step_add_up_to_it(given, size):
    # Of 50 processes most have no sequence of a batch.
    objective = make_objective(**given)
    objective.module.bilm.dropout.rate = 0.0
    objective.module.train()
    batch = objective.batches(0)[1]
    loss, expected = gradients_of(objective, batch)
    parts = []
    for rank in range(size):
        objective.ranks = Ranks(rank, size)
        parts.append(gradients_of(objective, batch))
    assert sum(part for part, _ in parts) == pytest.approx(loss, rel=1e-6)
    for name, gradient in expected.items():
        total = sum(part[name] for _, part in parts)
        np.testing.assert_allclose(total, gradient, atol=1e-6, err_msg=name)
    assert sum(part > 0 for part, _ in parts) == min(size, len(batch))


def test_dropout_of_one_rank_is_not_that_of_another():
    objective = make_objective(plan=replace(PLAN, dropout=0.5))
    objective.module.train()
    batch = np.zeros(2, dtype=np.int64)  # the same sequence for both
    losses = []
    for rank in range(2):
        objective.ranks = Ranks(rank, 2)
        losses.append(objective.loss(batch, np.random.default_rng(3)).item())
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    ("given", "stands"),
    [
        ({"RANK": "1"}, "RANK='1', WORLD_SIZE is not set"),
        ({"RANK": "1", "WORLD_SIZE": ""}, "RANK='1', WORLD_SIZE=''"),
        ({"RANK": "a", "WORLD_SIZE": "2"}, "RANK='a', WORLD_SIZE='2'"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK='2', WORLD_SIZE='2'"),
        ({"RANK": "-1", "WORLD_SIZE": "2"}, "RANK='-1', WORLD_SIZE='2'"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "RANK='0', WORLD_SIZE='0'"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(
    inside, tiny, texts, given, stands
):
    inside(**given)
    message = (
        f"RANK and WORLD_SIZE, which say that several processes train together, must "
        f"be whole numbers, RANK from 0 to WORLD_SIZE - 1, but {stands}. Start the "
        f"processes by torchrun, which sets them, or unset RANK."
    )
    model = ElmoLanguageModel(**tiny)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        model.fit(texts)
    assert not hasattr(model, "model_")


@pytest.mark.parametrize(
    ("given", "stands"),
    [
        ({}, "MASTER_ADDR is not set, MASTER_PORT is not set"),
        ({"MASTER_ADDR": "here"}, "MASTER_ADDR='here', MASTER_PORT is not set"),
        ({"MASTER_ADDR": "here", "MASTER_PORT": "x"},
         "MASTER_ADDR='here', MASTER_PORT='x'"),
    ],
)  # fmt: skip
def test_a_run_without_a_meeting_place_is_refused(inside, given, stands):
    inside(RANK="0", WORLD_SIZE="2", **given)
    message = (
        f"RANK=0 says that 2 processes train together, but not where they meet: "
        f"{stands}. Start the processes by torchrun, which sets a host and a port, or "
        f"unset RANK."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        join(torch.device("cpu"))


def test_a_run_of_one_process_is_that_of_none(inside, tiny, texts):
    expected = ElmoLanguageModel(**tiny).fit(texts)
    inside(RANK="0", WORLD_SIZE="1")
    assert place() == (0, 1)
    assert join(torch.device("cpu")) is ALONE
    got = ElmoLanguageModel(**tiny).fit(texts)
    assert_same_weights(got.network_, expected.network_)


def test_each_process_has_a_gpu_of_its_own(inside, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_name("auto") == "auto"
    inside(RANK="5", WORLD_SIZE="8")
    assert device_name("cuda") == "cuda"
    inside(LOCAL_RANK="1")
    for name, expected in {
        "auto": "cuda:1", "cuda": "cuda:1", "cuda:0": "cuda:0", "cpu": "cpu",
    }.items():  # fmt: skip
        assert device_name(name) == expected
    inside(LOCAL_RANK="2")
    message = (
        "LOCAL_RANK=2 has no GPU of its own: there are 2 here. Start one process for "
        "each GPU, or set device='cpu'."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        device_name("auto")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert device_name("auto") == "cuda:0"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_name("auto") == "auto"


def test_a_model_of_several_processes_is_not_taken_for_that_of_one(inside, tiny):
    sequences = index_documents(documents_of(200))
    parameters = ElmoLanguageModel(**tiny).get_params()
    keys = [training_key(parameters, sequences)]
    for size in ("1", "2", "3"):
        inside(RANK="0", WORLD_SIZE=size)
        keys.append(training_key(parameters, sequences))
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


class Second(Ranks):
    """The second of two processes, the first of which is made up.

    Its clock is twice as fast, and it stops after some steps.
    """

    def __init__(self, stop_at=math.inf):
        super().__init__(1, 2)
        self.n_agreed, self.stop_at = 0, stop_at

    def total(self, values):
        return np.asarray(values, dtype=float)

    def first(self, value):
        return 2.0 * value

    def agree(self, flag, value):
        self.n_agreed += 1
        return flag or self.n_agreed >= self.stop_at, float(self.n_agreed)

    def add_gradients(self, parameters, loss):
        return loss

    def spread(self, content):
        return None


def test_the_clock_of_the_first_process_decides():
    watcher = Watcher()
    loop = make_loop(
        make_objective(max_time=4.5, max_epochs=9), observer=watcher, ranks=Second()
    )
    state = loop.run()
    # By that clock a step takes a second.
    assert len(watcher.steps) == 5
    assert state.history[-1].seconds == pytest.approx(5.0, abs=0.5)


def test_a_stop_of_another_process_stops_this_one():
    watcher = Watcher()
    make_loop(make_objective(), observer=watcher, ranks=Second(3)).run()
    assert len(watcher.steps) == 3


# Runs of at least 50 steps, whose steps are of 128 tokens in all.
CASES = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1, "softmax": "full"},
    "rmsprop": {"solver": "rmsprop", "learning_rate_init": 0.001, "l1": 0.001},
    "adagrad": {"solver": "adagrad", "alpha": 0.1, "max_grad_norm": 0.1},
    "sampled": {"n_samples": 9, "learning_rate": "adaptive", "tol": 0.2},
    "words": {"changes": {"config": WITH_WORDS}, "word_dropout": 0.3, "n_samples": 9},
    "misspelt": {"misspelling": 0.3, "early_stopping": False},
}


def ended(case, n_ranks=1, **given):
    """Return weights, history and number of steps of a run."""
    given = {"learning_rate_init": 0.002, "tol": 0.0, **case, **given}
    result = run(
        **{
            **given, "batch_tokens": 128, "max_epochs": 15, "n_iter_no_change": 99,
            "changes": {"dropout": 0.0, **given.get("changes", {})},
            "ranks": join(torch.device("cpu")) if n_ranks > 1 else ALONE,
        }
    )  # fmt: skip
    return weights_of(result.model), result.state.history, result.state.n_steps


def all_ended(names, n_ranks):
    return {name: ended(CASES[name], n_ranks) for name in names}


@pytest.fixture(scope="module")
def alone():
    """Return how the runs end in one process."""
    return all_ended(CASES, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "names"), [(2, [*CASES]), (3, ["adam", "words"])])
def test_several_take_the_steps_of_one(size, names, alone, tmp_path):
    outcomes = together(tmp_path, all_ended, names, size, size=size)
    for name in names:
        expected, history, n_steps = alone[name]
        assert n_steps >= 50
        for got, got_history, got_steps in (each[name] for each in outcomes):
            assert got_steps == n_steps
            for key, weights in expected.items():
                np.testing.assert_allclose(
                    got[key], weights, atol=1e-5, rtol=0, err_msg=f"{name} {key}"
                )
                # Not only close to one another, but the same on all.
                np.testing.assert_array_equal(got[key], outcomes[0][name][0][key])
            np.testing.assert_equal(got_history, outcomes[0][name][1])
            for mine, yours in zip(got_history, history, strict=True):
                mine, yours = (each._replace(seconds=0.0) for each in (mine, yours))
                np.testing.assert_allclose(mine, yours, rtol=1e-5)


def said(function, *given, **named):
    """Return what a function raises, in words."""
    try:
        function(*given, **named)
    except (ValueError, RankLostError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def differing():
    """Train with what is different on the second of two processes."""
    ranks = join(torch.device("cpu"))
    second = not ranks.is_first
    start = run(max_epochs=1).trained
    if second:
        with torch.no_grad():
            next(start.network.parameters()).add_(1e-4)
    cases = [
        {"seed": int(second)},
        {"documents": documents_of(seed=int(second))},
        {"start": start},
        {"documents": documents_of(2), "batch_tokens": 5},
    ]
    told = [said(run, **{"ranks": ranks, "max_epochs": 1, **case}) for case in cases]
    # The processes can still train together.
    return told, ended({}, 2, max_epochs=1)[0]


@pytest.mark.slow
def test_processes_that_differ_are_refused_on_each(tmp_path):
    (told, weights), (others, other_weights) = together(tmp_path, differing)
    assert told == others
    for name, message in zip(
        ("parameters", "documents", "starting weights"), told, strict=False
    ):
        assert message == (
            f"ValueError: pretrain is trained by 2 processes together, but the {name} "
            f"of rank 1 are not those of rank 0. Give all of them the same, or unset "
            f"RANK to train apart."
        )
    assert told[3] == (
        "ValueError: pretrain is trained by 2 processes, but no step has more than 1 "
        "sequence for them to share. Start fewer processes, or raise batch_tokens=2."
    )
    for name, array in weights.items():
        np.testing.assert_array_equal(other_weights[name], array)


def estimators(tiny, texts):
    """Fit what a process may differ in, and what it may not."""
    second = place().rank
    np.random.seed(second)  # noqa: NPY002 the generator of random_state=None
    model = ElmoLanguageModel(**{**tiny, "random_state": None}).fit(texts)
    found = [(weights_of(model.network_), model.history_)]
    # Neither the clock nor the limit of the second one is asked.
    limit = {"max_time": 1e-9 if second == 0 else 100.0, "batch_tokens": 64}
    timed = ElmoLanguageModel(**{**tiny, **limit}).fit(texts)
    found.append((weights_of(timed.network_), timed.history_))
    timed.partial_fit(texts[:50])
    found.append((weights_of(timed.network_), timed.history_))
    # What was learned is each one's own: nothing is asked of others any more.
    return found if second else [*found, timed.score(texts)]


@pytest.mark.slow
def test_fits_agree_on_seed_and_time(tmp_path, tiny, texts):
    first, second = together(tmp_path, estimators, tiny, texts)
    for mine, yours in zip(first, second, strict=False):
        np.testing.assert_equal(mine[0], yours[0])
        np.testing.assert_equal(mine[1], yours[1])
    assert first[1][1][-1].n_tokens < first[0][1][-1].n_tokens
    # As one process with steps of twice as many tokens does.
    model = ElmoLanguageModel(**{**tiny, "batch_tokens": 128, "max_time": 1e-9})
    assert first[1][1][-1].n_tokens == model.fit(texts).history_[-1].n_tokens


def program_group():
    """Train in a group that the program has made itself."""
    torch.distributed.init_process_group("gloo")
    found = ended({}, 2)
    torch.distributed.destroy_process_group()
    return found


@pytest.mark.slow
def test_a_group_that_the_program_made_is_taken(alone, tmp_path):
    for weights, _, _ in together(tmp_path, program_group):
        for name, array in alone["adam"][0].items():
            np.testing.assert_allclose(weights[name], array, atol=1e-5, rtol=0)


def checkpointed(tiny, texts, root):
    parameters = {
        **tiny, "batch_tokens": 32, "dropout": 0.2, "max_epochs": 6,
        "checkpoint": root, "checkpoint_every": 5,
    }  # fmt: skip
    model = ElmoLanguageModel(**parameters).fit(texts)
    return weights_of(model.network_), model.history_


def last_step(root):
    """Return the step of the last checkpoint, 0 if there is none."""
    return max([int(path.stem[5:]) for path in root.glob("*/*.checkpoint")], default=0)


@pytest.mark.slow
def test_a_run_whose_processes_were_killed_goes_on_to_the_same_end(
    tiny, texts, tmp_path
):
    root, given = tmp_path / "runs", (tiny, texts[:60])
    ((expected, history), _) = together(tmp_path, checkpointed, *given, None)
    for rank in (0, 1):
        before, deadline = last_step(root), time.monotonic() + 120
        run_ = Processes(tmp_path, checkpointed, *given, str(root))
        while last_step(root) < before + 10:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        run_.children[rank].kill()
        outcomes = run_.outcomes()
        assert outcomes[rank] is None
        pattern = (
            rf"Rank {1 - rank} of 2 has lost touch with the others: one of them has "
            r"ended or cannot be reached\. Start all of them again; with a checkpoint "
            r"they go on from the last one\. \(.+\)"
        )
        assert isinstance(outcomes[1 - rank], RankLostError)
        assert re.fullmatch(pattern, str(outcomes[1 - rank]))
    outcomes = together(tmp_path, checkpointed, *given, str(root))
    for weights, got_history in outcomes:
        np.testing.assert_equal(weights, expected)
        np.testing.assert_equal(got_history, outcomes[0][1])
        for mine, yours in zip(got_history, history, strict=True):
            np.testing.assert_equal(mine._replace(seconds=0), yours._replace(seconds=0))
    (directory,) = root.iterdir()
    assert len(list(directory.iterdir())) == 2


def claimed():
    """Meet the other process; the first one's second self comes too late."""
    join(torch.device("cpu"))
    if place().rank:
        return None
    code = (
        "import torch\nfrom skelmo.training.ranks import join\n"
        "join(torch.device('cpu'))"
    )
    agent = {**os.environ, "TORCHELASTIC_USE_AGENT_STORE": "True"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, env=agent, capture_output=True, text=True).stderr


@pytest.mark.slow
def test_a_child_that_inherits_a_rank_is_refused(tmp_path):
    stderr, _ = together(tmp_path, claimed)
    assert stderr.splitlines()[-1] == (
        "ValueError: Another process has RANK=0 already: those that a process starts "
        "inherit it. Set n_jobs=1, or unset RANK, where training is not to be shared."
    )
