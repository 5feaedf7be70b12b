"""The kinds of record: their numbers, which are signed, their words and their messages."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from .v1 import act_pb2, contact_pb2, contribution_pb2, glossary_pb2, lesson_pb2, meeting_pb2
from .v1 import observer_grant_pb2, practice_pb2, profile_pb2, recommendation_pb2, review_pb2

_KINDS: dict[int, tuple[str, type[Message]]] = {
    1: ("practice", practice_pb2.Practice),
    2: ("lesson", lesson_pb2.Lesson),
    3: ("recommendation", recommendation_pb2.Recommendation),
    4: ("guideline", recommendation_pb2.Recommendation),
    5: ("profile", profile_pb2.Profile),
    6: ("term", glossary_pb2.Term),
    7: ("mapping", glossary_pb2.Mapping),
    8: ("meeting", meeting_pb2.Meeting),
    9: ("invitation", meeting_pb2.MeetingInvitation),
    10: ("presentation", meeting_pb2.Presentation),
    11: ("observer_grant", observer_grant_pb2.ObserverGrant),
    12: ("contribution", contribution_pb2.Contribution),
    13: ("endorsement", contribution_pb2.Endorsement),
    14: ("review", review_pb2.Review),
    15: ("contact", contact_pb2.Contact),
    16: ("act", act_pb2.Act),
}


def kind_word(number: int) -> str:
    """The kind's word, as the API has it."""
    return _KINDS[number][0] if number in _KINDS else f"kind {number}"


def message_of(number: int, body: bytes) -> Message | None:
    """The message of a body; `None` for a kind that is not known or a body that is none."""
    if number not in _KINDS:
        return None
    message = _KINDS[number][1]()
    try:
        message.ParseFromString(body)
    except DecodeError:
        return None
    return message


def titles(content: Message | None) -> dict[str, str]:
    """The title of a body by language; of a profile its name."""
    if content is None:
        return {}
    fields = content.DESCRIPTOR.fields_by_name
    for name in ("title", "name"):
        kind = fields[name].message_type if name in fields else None
        if kind is not None and kind.name == "LanguageText":
            return {one.tag: one.text for one in getattr(content, name)}
    return {}
