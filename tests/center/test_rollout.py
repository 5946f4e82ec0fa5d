"""Putting a policy in force: what is kept and told of it, what it ends, and that a bad file changes nothing."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.center.desks import AGENT, CAROL, DAVE, NONCE, READ
from tests.center.stores import by_hand, driver, one_commit
from tests.helpers import an_action

from clearance.center import policy, trail
from clearance.center.faults import Conflict, Forbidden
from clearance.center.policy import Policy, PolicyError, built_in
from clearance.center.records import InForce, KeptPolicy, Principal, Record, Submission
from clearance.center.service import Center
from clearance.center.store.base import Tx, Use
from clearance.center.store.databases import open_store
from clearance.models import Status

STRICT = '[[rules]]\nname = "look"\nmatch = { action_type = "order.*" }\nthen = "deny"\n'
OTHER = "[risk]\nclear_up_to = 10\n"
BROKEN = '[[rules]]\nname = "look"\nmacth = {}\nthen = "deny"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "policy.toml"
    found.write_text(STRICT)
    return found


@pytest.fixture
def center(database_address: str, file: Path) -> Iterator[Center]:
    center = Center.open(database_address, file)
    yield center
    center.close()


def version(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def reload(center: Center, who: Principal = DAVE) -> Any:
    return center.rollout.reload(lambda _tx: who)


def told(center: Center) -> list[dict[str, Any]]:
    """The entries about policies."""
    bodies = [json.loads(link.body) for link in center.do(lambda tx: list(tx.audit()))]
    return [body for body in bodies if body["event"] == "policy"]


def history(center: Center) -> list[str]:
    return [change.version for change in center.do(lambda tx: tx.policies_in_force())]


def ask(center: Center, digest: str, *, claims: bool = True, **action: Any) -> Record:
    submission = Submission(an_action(digest=digest, **action), None, None, claims)
    return center.do(lambda tx: center.desk.submit(tx, AGENT, submission))


def approved(center: Center, digest: str, *, claims: bool = True) -> Record:
    record = ask(center, digest, claims=claims)
    return center.do(lambda tx: center.desk.decide(tx, CAROL, record.id, approve=True))


def claim(center: Center, record: Record) -> Record:
    return center.do(lambda tx: center.desk.claim(tx, AGENT, record.id, record.action.digest, NONCE))


def stored(center: Center, record: Record) -> Status:
    found = center.do(lambda tx: tx.action(record.id))
    assert found is not None
    return found.status


# What is kept and told


def test_the_first_start_keeps_the_policy_and_tells_of_it(center: Center) -> None:
    (entry,) = told(center)
    kept = center.do(lambda tx: tx.policy(version(STRICT)))

    assert kept == KeptPolicy(version(STRICT), "toml", STRICT)
    assert entry["actor"] == "local"
    assert entry["details"] == {
        "before": None,
        "after": version(STRICT),
        "file": "policy.toml",
        "sha256": hashlib.sha256(STRICT.encode()).hexdigest(),
        "by": "the start of a Center",
    }
    newest = center.do(lambda tx: tx.policy_in_force())
    assert newest == InForce(entry["seq"], version(STRICT), entry["at"], "local", "the start of a Center")


def test_a_start_with_the_same_policy_tells_nothing_more(database_address: str, file: Path) -> None:
    for _ in range(3):
        with closing(Center.open(database_address, file)) as center:
            assert len(told(center)) == 1


def test_a_start_with_another_policy_is_told_and_ends_what_was_approved(database_address: str, file: Path) -> None:
    with closing(Center.open(database_address, file)) as center:
        record = approved(center, "d")
    with closing(Center.open(database_address)) as center:
        assert [entry["details"]["after"] for entry in told(center)] == [version(STRICT), built_in().version]
        assert told(center)[-1]["details"]["file"] is None
        assert claim(center, record).status is Status.STALE


def test_a_command_beside_a_center_puts_nothing_in_force(database_address: str, file: Path) -> None:
    Center.open(database_address, file).close()
    for use in (Use.VISIT, Use.READ):
        with closing(Center.open(database_address, use=use)) as center:
            assert history(center) == [version(STRICT)]


def test_a_reload_is_judged_by_at_once_and_told_with_who(center: Center, file: Path) -> None:
    assert ask(center, "a", action_type=READ.action_type).status is Status.DENIED
    file.write_text(OTHER)

    change = reload(center)

    assert (change.is_new, change.before, change.policy.version) == (True, version(STRICT), version(OTHER))
    assert "Approvals from before can no longer be claimed" in str(change)
    assert ask(center, "b", action_type=READ.action_type).status is Status.APPROVED
    entry = told(center)[-1]
    assert (entry["actor"], entry["details"]["by"]) == (DAVE.id, "dave")
    assert (entry["details"]["before"], entry["details"]["after"]) == (version(STRICT), version(OTHER))
    assert trail.verify(center).problem is None


def test_a_reload_of_the_same_file_changes_and_tells_nothing(center: Center) -> None:
    record = approved(center, "d")

    change = reload(center)

    assert not change.is_new
    assert "has not changed" in str(change)
    assert len(told(center)) == 1
    assert claim(center, record).status is Status.EXECUTING


def test_rolling_back_is_a_change_like_any_other_and_the_text_is_there_to_the_last_byte(
    center: Center, file: Path
) -> None:
    before = "# ümlaut\r\n\n" + STRICT
    file.write_bytes(before.encode())
    reload(center)
    file.write_text(OTHER)
    reload(center)
    kept = center.do(lambda tx: tx.policy(version(before)))
    assert kept is not None

    file.write_bytes(kept.text.encode())
    reload(center)

    assert history(center) == [version(before), version(OTHER), version(before), version(STRICT)]
    assert center.desk.policy.version == version(before)
    assert trail.verify(center).problem is None


def test_the_built_in_policy_is_kept_as_a_file_that_says_the_same(tmp_path: Path) -> None:
    with closing(Center.open(tmp_path / "center.db")) as center:
        kept = center.do(lambda tx: tx.policy(built_in().version))
    assert kept is not None
    file = tmp_path / f"policy.{kept.format}"
    file.write_text(kept.text)

    found = policy.load(file)

    assert (found.version, found.source) == (built_in().version, kept.text)
    assert [rule.name for rule in found.rules] == [rule.name for rule in built_in().rules]


# What changes nothing


@pytest.mark.parametrize("text", [BROKEN, "not [ toml", None], ids=["unknown key", "not TOML", "gone"])
def test_a_file_that_cannot_be_used_leaves_all_as_it_was_and_the_log_says_so(
    center: Center, file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    record, before = approved(center, "d"), center.desk.policy
    if text is None:
        file.unlink()
    else:
        file.write_text(text)

    with pytest.raises(PolicyError) as refused:
        reload(center)

    assert center.desk.policy is before
    assert len(told(center)) == 1
    assert claim(center, record).status is Status.EXECUTING
    (logged,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert str(refused.value) in logged.getMessage()
    assert f"Policy {before.version} stays in force" in logged.getMessage()


def test_without_a_file_there_is_nothing_to_read_again(tmp_path: Path) -> None:
    with closing(Center.open(tmp_path / "center.db")) as center:
        with pytest.raises(Conflict, match="has no policy file"):
            reload(center)
        assert center.desk.policy.version == built_in().version


def test_whoever_may_not_change_it_changes_nothing(center: Center, file: Path) -> None:
    file.write_text(OTHER)

    def nobody(_tx: Tx) -> Principal:
        raise Forbidden("not you")

    with pytest.raises(Forbidden):
        center.rollout.reload(nobody)
    assert center.desk.policy.version == version(STRICT)
    assert history(center) == [version(STRICT)]


def test_what_could_not_be_kept_is_not_judged_by(center: Center, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(OTHER)
    with monkeypatch.context() as patch:

        def fail(_connection: Any, _appended: Any) -> None:
            raise OSError("No space left on device")

        patch.setattr(center.store, "_grown", fail)  # at the end of a commit
        with pytest.raises(Exception, match="could not keep it"):
            reload(center)

    assert center.desk.policy.version == version(STRICT)
    assert ask(center, "a", action_type=READ.action_type).status is Status.DENIED
    assert history(center) == [version(STRICT)]
    assert reload(center).is_new


def test_a_text_that_comes_along_under_a_version_that_was_in_force_is_refused(
    center: Center, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever finds two texts with one version could otherwise change the rules without an entry."""
    forged = Policy((), 100, version(STRICT), OTHER)
    monkeypatch.setattr(policy, "load", lambda _file: forged)

    with pytest.raises(PolicyError, match="which another one has"):
        reload(center)
    assert center.desk.policy.source == STRICT


def test_a_center_does_not_start_on_a_policy_that_cannot_be_kept(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Center.open(tmp_path / "center.db", file).close()
    monkeypatch.setattr(policy, "load", lambda _file: Policy((), 100, version(STRICT), OTHER))

    with pytest.raises(PolicyError):
        Center.open(tmp_path / "center.db", file)
    open_store(tmp_path / "center.db").close()  # and has let go of the database


# One after the other


def test_every_submit_is_judged_whole_by_one_policy_and_none_by_the_old_one_behind_the_entry(
    center: Center, file: Path
) -> None:
    texts = [STRICT, OTHER]

    def change() -> None:
        for number in range(1, 12):
            file.write_text(texts[number % 2])
            reload(center)

    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask, center, f"d{number}", action_type=READ.action_type) for number in range(200)]
        changed = pool.submit(change)
        records = [future.result() for future in asked]
        changed.result()

    for record in records:
        by = Status.DENIED if record.policy_version == version(STRICT) else Status.APPROVED
        assert record.status is by
    in_force = ""
    for body in (json.loads(link.body) for link in center.do(lambda tx: list(tx.audit()))):
        if body["event"] == "policy":
            assert body["details"]["before"] == (in_force or None)
            in_force = body["details"]["after"]
        elif body["event"] == "submit":
            assert body["details"]["policy"] == in_force
    assert trail.verify(center).problem is None


def test_what_is_judged_in_the_same_commit_is_judged_by_the_policy_that_stands_in_the_trail_before_it(
    center: Center, file: Path
) -> None:
    file.write_text(OTHER)
    submission = Submission(an_action(digest="d", action_type=READ.action_type), None, None, claims=True)
    with ThreadPoolExecutor(1) as pool, one_commit(center.store):
        changed = pool.submit(reload, center)
        future = center.store.submit(lambda tx: center.desk.submit(tx, AGENT, submission))

    record = future.result(30)
    entry = changed.result(30).policy.entry
    (first,) = [link.seq for link in center.do(lambda tx: list(tx.audit_of(record.id)))[:1]]
    assert record.policy_version == (version(OTHER) if first > entry else version(STRICT))


# What was approved before

LOOKS: dict[str, Callable[[Center, Record], Any]] = {
    "its requester": lambda center, record: center.do(lambda tx: center.desk.read(tx, AGENT, record.id)),
    "an approver": lambda center, record: center.do(lambda tx: center.desk.read(tx, CAROL, record.id)),
    "a list": lambda center, _: center.do(lambda tx: center.desk.list(tx, CAROL)),
    "the timer": lambda center, _: center.rollout.note(center.do(center.rollout.look)),
    "a claim": lambda center, record: claim(center, record),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_an_approval_from_before_is_stale_whoever_looks_first(
    center: Center, file: Path, look: Callable[[Center, Record], Any]
) -> None:
    record = approved(center, "d")
    file.write_text(OTHER)
    reload(center)

    look(center, record)

    assert stored(center, record) is Status.STALE
    found = center.do(lambda tx: center.desk.read(tx, AGENT, record.id))
    assert (found.reason, found.reason_code) == ("The policy changed after the approval", "stale")
    with pytest.raises(Conflict, match="is stale"):
        claim(center, record)


def test_what_a_client_that_never_claims_has_read_as_approved_may_have_run(center: Center, file: Path) -> None:
    record = approved(center, "d", claims=False)
    assert LOOKS["its requester"](center, record).status is Status.APPROVED
    unread = approved(center, "e", claims=False)
    file.write_text(OTHER)
    reload(center)

    LOOKS["the timer"](center, record)

    assert stored(center, record) is Status.UNKNOWN
    assert stored(center, unread) is Status.STALE


def test_what_runs_already_runs_on(center: Center, file: Path) -> None:
    record = claim(center, approved(center, "d"))
    file.write_text(OTHER)
    reload(center)

    assert claim(center, record).status is Status.EXECUTING  # the same nonce again


def test_what_was_approved_before_stays_stale_when_its_policy_is_back(center: Center, file: Path) -> None:
    record = approved(center, "d")
    for text in (OTHER, STRICT):
        file.write_text(text)
        reload(center)
        center.rollout.note(center.do(center.rollout.look))

    assert stored(center, record) is Status.STALE


def test_the_timer_goes_through_all_of_them_a_few_at_a_time_and_then_looks_no_more(
    center: Center, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clearance.center import desk

    monkeypatch.setattr(desk, "HALTED_AT_ONCE", 3)
    center.rollout.note(center.do(center.rollout.look))
    records = [approved(center, f"d{number}") for number in range(8)]
    file.write_text(OTHER)
    reload(center)

    counts = []
    for _ in range(4):
        center.rollout.note(center.do(center.rollout.look))
        counts.append(sum(stored(center, record) is Status.STALE for record in records))

    assert counts == [3, 6, 8, 8]
    assert center.do(center.rollout.look).after is None


# Several Centers


@pytest.fixture
def two(postgres_url: str, tmp_path: Path) -> Iterator[tuple[Center, Center]]:
    """Two Centers on one database, each with its own file of the same text."""
    files = [tmp_path / name for name in ("one.toml", "two.toml")]
    for each in files:
        each.write_text(STRICT)
    with closing(Center.open(postgres_url, files[0])) as one, closing(Center.open(postgres_url, files[1])) as other:
        yield one, other


@pytest.mark.postgres
def test_the_same_file_at_another_center_is_no_change(two: tuple[Center, Center]) -> None:
    one, other = two
    record = approved(one, "d")

    assert history(other) == [version(STRICT)]
    assert claim(other, record).status is Status.EXECUTING


@pytest.mark.postgres
def test_while_only_one_center_has_the_new_policy_no_approval_is_handed_out_at_the_other(
    two: tuple[Center, Center], tmp_path: Path
) -> None:
    one, other = two
    before = approved(other, "before")
    (tmp_path / "one.toml").write_text(OTHER)
    reload(one)
    behind, ahead, theirs = approved(other, "behind"), approved(one, "ahead"), approved(one, "theirs")

    assert claim(other, before).status is Status.STALE  # under the policy that was in force
    assert claim(other, behind).status is Status.STALE  # at the Center that is behind
    assert claim(other, ahead).status is Status.STALE  # under a policy that it does not know
    assert claim(one, theirs).status is Status.EXECUTING


@pytest.mark.postgres
def test_a_center_that_is_behind_lets_the_newer_approvals_live_says_so_once_and_catches_up(
    two: tuple[Center, Center], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    (tmp_path / "one.toml").write_text(OTHER)
    reload(one)
    record = approved(one, "d")

    for _ in range(3):
        other.rollout.note(other.do(other.rollout.look))
    assert stored(one, record) is Status.APPROVED
    (warned,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert version(OTHER) in warned
    assert "reload it" in warned

    (tmp_path / "two.toml").write_text(OTHER)
    assert not reload(other).is_new
    assert history(one) == [version(OTHER), version(STRICT)]
    assert claim(other, record).status is Status.EXECUTING


@pytest.mark.postgres
def test_two_centers_that_start_at_once_with_one_policy_tell_of_it_once(postgres_url: str, file: Path) -> None:
    open_store(postgres_url).close()
    with ThreadPoolExecutor(2) as pool:
        centers = [future.result() for future in [pool.submit(Center.open, postgres_url, file) for _ in range(2)]]
    assert history(centers[0]) == [version(STRICT)]
    for center in centers:
        center.close()


# Verification


@pytest.mark.parametrize(
    ("tampering", "says"),
    [
        ("UPDATE policies SET text = 'x' WHERE version = '{new}'", "policy {new} is not kept as it was in force since"),
        ("DELETE FROM policies WHERE version = '{old}'", "policy {old} is not kept as it was in force since entry 1"),
        (
            "DELETE FROM policies_in_force WHERE version = '{new}'",
            "policy {new} came in force, which is kept otherwise",
        ),
        (
            "UPDATE policies_in_force SET author_name = 'eve' WHERE entry = 1",
            "{old} came in force, which is kept other",
        ),
        ("INSERT INTO policies_in_force VALUES (3, '{old}', 1, 'x', 'y')", "kept as in force since entry 3, which is"),
    ],
    ids=["a text", "a text gone", "a change gone", "an author", "a change that never was"],
)
def test_what_is_kept_of_policies_is_verified_against_the_trail(
    database_address: str, file: Path, tampering: str, says: str
) -> None:
    old, new = version(STRICT), version(OTHER)
    with closing(Center.open(database_address, file)) as center:
        file.write_text(OTHER)
        reload(center)
        ask(center, "d")
        assert trail.verify(center).problem is None
    with by_hand(database_address) as execute:
        execute(tampering.format(old=old, new=new))

    with closing(Center.open(database_address, use=Use.READ)) as center:
        problem = trail.verify(center).problem

    assert problem is not None
    assert says.format(old=old, new=new) in problem


def test_a_policy_entry_that_skips_one_is_found(center: Center) -> None:
    from clearance.center.records import Entry

    def lie(tx: Tx) -> None:
        kept = tx.policy(version(STRICT))
        assert kept is not None
        sha256 = hashlib.sha256(kept.text.encode()).hexdigest()
        details: dict[str, object] = {"before": "another", "after": kept.version, "sha256": sha256, "by": "eve"}
        entry = tx.append(Entry(5, "policy", "x", details=details))
        tx.put_in_force(InForce(entry, kept.version, 5, "x", "eve"))

    center.do(lie)
    assert trail.verify(center).problem == f"entry 2 tells of policy another before, and it was {version(STRICT)}"


def test_an_agent_cannot_write_what_is_taken_for_an_entry_about_a_policy(center: Center) -> None:
    ask(center, '"event":"policy"', tool_name='"event":"policy"')
    assert trail.verify(center).problem is None


def test_what_is_in_force_is_read_once_a_transaction(center: Center) -> None:
    def read(tx: Tx) -> tuple[object, object]:
        first = tx.policy_in_force()
        driver(tx).exec_driver_sql("DELETE FROM policies_in_force")
        return first, tx.policy_in_force()

    first, second = center.do(read)
    assert first is second
