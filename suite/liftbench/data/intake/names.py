"""What exports call their columns and the keys of their messages, without case, spaces and punctuation.

A name that comes earlier is preferred. Marks of internal notes are in `marks`.
"""

from __future__ import annotations

_KINDS = ("conversation", "dialogue", "dialog", "thread", "ticket", "case", "chat", "session", "call", "interaction")

IDS = (
    *(f"{kind}{end}" for kind in _KINDS for end in ("id", "number", "no", "key", "ref", "")),
    *("issueid", "requestid", "convoid", "convid", "fname", "id"),
)
_WRITERS = ("speaker", "sender", "author", "from", "user", "participant", "actor", "writer", "poster")
SPEAKERS = (
    *("speaker", "role", *(f"{writer}{what}" for writer in _WRITERS for what in ("role", "type", "kind", "side"))),
    *("direction", "inbound", "isinbound", "incoming", "isincoming", "outbound", "isoutbound", "outgoing"),
    *("iscustomer", "fromcustomer", "isagent", "fromagent", "isstaff", "sender", "sendername", "author", "authorname"),
    *("from", "fromname", "participant", "party", "user", "username", "who", "writtenby", "sentby", "postedby"),
)
SPEAKER_IDS = ("authorid", "senderid", "fromid", "userid", "authoremail", "senderemail", "fromemail", "fromaddress")
"""Columns and keys that identify a speaker, who is the customer if a column of `CUSTOMERS` holds the same."""
TEXTS = (
    *("text", "message", "body", "content", "messagetext", "messagebody", "messagecontent", "plainbody", "utterance"),
    *("comment", "msg", "tweet"),
)
TIMES = (
    *("createdat", "timestamp", "sentat", "created", "datetime", "senttime", "createdtime", "messagetime", "createdon"),
    *("date", "time", "sequence", "seq", "order", "position", "turn", "turnid", "turnnumber", "messagenumber"),
)
TRANSCRIPTS = ("transcript", "transcription", "conversation", "dialogue", "dialog", "chat", "chatlog", "log", "history")
MESSAGES = (
    *("messages", "turns", "utterances", "conversation", "conversations", "dialogue", "dialog", "history", "chat"),
    *("comments", "conversationparts", "parts", "threads", "thread", "replies", "posts", "transcript", "embedded"),
)
NOT_MESSAGES = (
    *("customfields", "fields", "formfields", "tags", "labels", "attachments", "files", "participants", "followers"),
    *("notes", "internalnotes", "privatenotes", "worknotes", "events", "audits", "activities", "tools"),
)
"""Lists of objects that are not a conversation, even if their objects have an author and a value."""
OPENINGS = ("source", "openingmessage", "initialmessage", "firstmessage")
"""Objects beside the list of messages that hold the first message (Intercom's `source`)."""
SUMMARIES = (
    *(f"{kind}summary" for kind in (*_KINDS, "resolution", "closing", "human", "agent")),
    *("summary", "summaries", "reference", "references", "abstract", "humansummary", "goldsummary", "abstractive"),
    *(f"{name}{number}" for name in ("summary", "reference") for number in range(1, 10)),
)
NOTES = (
    *("resolutionnotes", "closingnote", "resolutionnote", "wrapupnote", "agentnotes", "closingnotes", "wrapupnotes"),
    *("wrapup", "notes", "resolution"),
)
"""Names of columns that hold summaries only if no column is named as a summary."""
CUSTOMERS = (
    *("customerid", "requesterid", "clientid", "accountid", "contactid", "customer", "requester", "client"),
    *("customeremail", "requesteremail", "customername"),
)
TRAINING_ROWS = (
    *(("input", "output"), ("prompt", "completion"), ("prompt", "response"), ("instruction", "output")),
    *(("instruction", "response"), ("document", "target"), ("source", "target"), ("text", "target")),
)
"""Columns of rows for fine-tuning: the task with the transcript, and the summary that a model learns."""

MESSAGE_SPEAKERS = ("role", *(name for name in SPEAKERS if name != "role"), "name", "createdby")
"""Keys of a message that say who speaks. `createdby` may hold an object."""
SPEAKER_KINDS = ("role", "type", "kind", "actortype", "accounttype", "persontype")
"""Keys of a speaker's object that say which side he is on."""
SPEAKER_NAMES = ("name", "displayname", "fullname", "username", "email", "id")
MESSAGE_TEXTS = (
    *("content", "text", "plainbody", "plaintext", "strippedtext", "bodytext", "textbody", "bodyplain", "message"),
    *("messagetext", "messagebody", "messagecontent", "body", "utterance", "comment", "msg", "reply", "htmlbody"),
    *("bodyhtml", "value"),
)
"""Keys of a message that hold its text: of several filled ones plain text is preferred to HTML."""
MESSAGE_TIMES = (
    *("createdat", "timestamp", "sentat", "created", "datetime", "createdtime", "createtime", "senttime"),
    *("messagetime", "createdon", "createddate", "time", "ts", "date", "sequence", "seq", "position", "index"),
)
"""Keys of a message that hold its time or number; the first that all messages of a list have counts."""
TWO_SIDES = (
    *(("userutterance", "systemresponse"), ("userutterance", "agentutterance"), ("user", "assistant"), ("user", "bot")),
    *(("human", "gpt"), ("human", "assistant"), ("usermessage", "assistantmessage"), ("usermessage", "botmessage")),
)
"""Keys of objects that hold what the customer and then what the agent says. `customer` and `agent` may hold names."""
NESTED_TEXTS = ("parts", "data")
"""Keys of a message whose value may hold parts or an object with the text."""
TASKS = frozenset(task for task, _ in TRAINING_ROWS if task != "text")
