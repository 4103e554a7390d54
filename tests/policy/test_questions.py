"""A question can be asked again exactly as it was, from what its decision recorded."""

from uuid import UUID

from sqlalchemy import select

from bailiwick.access import issue_token
from bailiwick.policy import Actor, Decision, Resource, actor_of, require
from bailiwick.policy.questions import question_of
from factories import Factory


def test_who_else_held_the_token_is_part_of_the_question(make: Factory) -> None:
    token, _ = issue_token(make.session, make.approver, "test", actor_id=make.root.id, at=make.at)
    actor = actor_of(make.session, make.approver, token)
    decision = recorded(make, actor)
    assert question_of(decision, None, name=actor.name).actor == actor


def test_a_decision_from_before_that_was_noted_can_be_asked_again(make: Factory) -> None:
    decision = recorded(make, make.actor(make.approver))
    decision.actor_facts = {
        name: fact for name, fact in decision.actor_facts.items() if name != "vouched_by"
    }
    question = question_of(decision, None)
    assert question.actor.vouched_by == frozenset()
    assert question.put_to(make.platform.rules).allowed == decision.allowed


def recorded(make: Factory, actor: Actor) -> Decision:
    """A decision about something that the actor may do."""
    resource = Resource("Delegation", "d", "finance", None, {"from_id": actor.id})
    require(
        make.session,
        make.platform.rules,
        actor=actor,
        action="delegation:create",
        resource=resource,
        at=make.at,
    )
    make.session.flush()
    return make.session.scalars(
        select(Decision).where(Decision.principal_id == UUID(actor.id))
    ).one()
