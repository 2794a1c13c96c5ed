"""The exports of common help desks, declared field by field (`bench data import --from NAME`). Each is a plugin."""

from __future__ import annotations

from .desks import Chatlog, Desk, Export, Opening, People
from .replies import Replies
from .speakers import NO, YES

ZENDESK = Desk(
    title="Zendesk",
    exports=(
        Export(
            what="tickets with their comments",
            source="developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments",
            signature=(
                "comments.body|comments.html_body|comments.plain_body",
                "comments.public",
                "requester_id|requester",
            ),
            records=("tickets", "results", "requests", "ticket"),
            id="id|ticket_id",
            messages="comments.comments|comments",
            text="plain_body|body|html_body",
            speaker="author.role|role|author_role",
            roles={"end-user": "customer", "end_user": "customer", "agent": "agent", "admin": "agent"},
            person="author_id|author.id",
            people=People(within="users", id="id", role="role"),
            requester="requester_id|requester.id",
            time="created_at",
            internal={"public": NO},
            # A VoiceComment tells of a call.
            spoken={"type": ("comment", "facebookcomment", "tweet")},
            customer="requester_id|requester.id",
            keep=("subject", "via.channel"),
        ),
        Export(
            what="chats with their history",
            source="developer.zendesk.com/api-reference/live-chat/chat-api/chats",
            signature=("history.type", "history.msg", "visitor"),
            records=("chats", "docs"),
            id="id",
            messages="history",
            text="msg",
            speaker="sender_type",
            roles={"visitor": "customer", "agent": "agent", "trigger": "agent"},
            time="timestamp",
            spoken={"type": ("chat.msg",)},
            customer="visitor.id|visitor.email",
        ),
    ),
)

INTERCOM = Desk(
    title="Intercom",
    exports=(
        Export(
            what="conversations with their parts",
            source="developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations",
            signature=("source.author.type|conversation_message.author.type", "conversation_parts"),
            records=("conversations", "data", "data.item"),
            id="id",
            messages="conversation_parts.conversation_parts|conversation_parts",
            opening=Opening(
                text="source.body|conversation_message.body",
                speaker="source.author.type|conversation_message.author.type",
                time="created_at",
            ),
            text="body",
            speaker="author.type",
            roles={
                **dict.fromkeys(("user", "lead", "contact"), "customer"),
                **dict.fromkeys(("admin", "bot", "team", "fin", "operator"), "agent"),
            },
            time="created_at",
            internal={"part_type": ("note", "note_and_reopen")},
            # A reply may close or open the conversation; other parts are events.
            spoken={
                "part_type": ("comment", "close", "open", "quick_reply", "comment_and_close", "comment_and_reopen")
            },
            unspoken={"redacted": YES},
            customer="contacts.contacts.id|user.id",
            keep=("source.subject", "source.type"),
        ),
    ),
)

FRESHDESK = Desk(
    title="Freshdesk",
    exports=(
        Export(
            what="tickets with their conversations",
            source="developers.freshdesk.com/api/#view_a_ticket (include=conversations)",
            signature=("conversations.incoming", "conversations.private", "id"),
            records=("tickets", "results", "ticket"),
            id="id",
            messages="conversations",
            # 10 is an e-mail that an agent began.
            opening=Opening(text="description_text|description", speaker="source", role="customer", time="created_at"),
            text="body_text|body",
            speaker="incoming",
            roles={**dict.fromkeys(YES, "customer"), **dict.fromkeys(NO, "agent"), "10": "agent"},
            time="created_at",
            internal={"private": YES},
            customer="requester_id",
            keep=("subject",),
        ),
        Export(
            what="conversations of tickets, a message a row",
            source="developers.freshdesk.com/api/#list_all_ticket_notes",
            signature=("ticket_id", "incoming", "private", "body|body_text"),
            records=("conversations",),
            id="ticket_id",
            text="body_text|body",
            speaker="incoming",
            roles={**dict.fromkeys(YES, "customer"), **dict.fromkeys(NO, "agent")},
            time="created_at",
            internal={"private": YES},
            customer="user_id",
        ),
    ),
)

HUBSPOT = Desk(
    title="HubSpot",
    exports=(
        Export(
            what="messages of threads",
            source="developers.hubspot.com/docs/api-reference/conversations-conversations-inbox-&-messages-v3",
            signature=("conversationsThreadId", "senders.actorId|direction", "text|richText"),
            records=("results", "messages.results", "messages"),
            id="conversationsThreadId",
            text="text|richText",
            speaker="direction",
            roles={"incoming": "customer", "outgoing": "agent"},
            time="createdAt",
            internal={"type": ("comment",)},
            spoken={"type": ("message", "welcome_message")},
            cut={"truncationStatus": ("truncated",)},
            customer="senders.actorId",
        ),
    ),
)

GORGIAS = Desk(
    title="Gorgias",
    exports=(
        Export(
            what="tickets with their messages",
            source="developers.gorgias.com/reference/the-ticket-object",
            signature=("messages.from_agent", "messages.body_text|messages.body_html|messages.stripped_text"),
            records=("data", "tickets"),
            id="id",
            messages="messages",
            # The stripped text is without quoted history and signatures.
            text="stripped_text|body_text|stripped_html|body_html",
            speaker="from_agent",
            roles={**dict.fromkeys(YES, "agent"), **dict.fromkeys(NO, "customer")},
            time="created_datetime|sent_datetime",
            internal={"public": NO, "channel": ("internal-note",), "source.type": ("internal-note",)},
            customer="customer.id|customer.email",
            keep=("subject", "channel"),
        ),
        Export(
            what="messages of tickets",
            source="developers.gorgias.com/reference/the-ticketmessage-object",
            signature=("ticket_id", "from_agent", "body_text|body_html|stripped_text"),
            records=("data",),
            id="ticket_id",
            text="stripped_text|body_text|stripped_html|body_html",
            speaker="from_agent",
            roles={**dict.fromkeys(YES, "agent"), **dict.fromkeys(NO, "customer")},
            time="created_datetime|sent_datetime",
            internal={"public": NO, "channel": ("internal-note",), "source.type": ("internal-note",)},
            customer="sender.id",
        ),
    ),
)

HELP_SCOUT = Desk(
    title="Help Scout",
    exports=(
        Export(
            what="conversations with their threads",
            source="developer.helpscout.com/mailbox-api/endpoints/conversations/threads/list",
            signature=("_embedded.threads.createdBy|threads.createdBy", "_embedded.threads.type|threads.type"),
            records=("_embedded.conversations", "conversations", "items"),
            id="id|number",
            messages="_embedded.threads|threads",
            text="body",
            # A thread's type says whose words they are, also where an agent has entered them.
            speaker="type|createdBy.type",
            roles={"customer": "customer", "message": "agent", "user": "agent"},
            time="createdAt",
            internal={"type": ("note",)},
            spoken={"type": ("customer", "message", "chat", "beaconchat", "phone"), "state": ("published",)},
            customer="primaryCustomer.id|customer.id|primaryCustomer.email",
            keep=("subject", "type"),
        ),
    ),
)

CHATWOOT = Desk(
    title="Chatwoot",
    exports=(
        Export(
            what="messages of conversations",
            source="developers.chatwoot.com/api-reference/messages/get-messages",
            signature=("conversation_id", "message_type", "private", "content"),
            records=("payload", "data.payload", "messages"),
            id="conversation_id",
            text="content",
            speaker="message_type",
            roles={
                **dict.fromkeys(("0", "incoming"), "customer"),
                **dict.fromkeys(("1", "outgoing", "3", "template"), "agent"),
            },
            time="created_at",
            internal={"private": YES},
            spoken={"message_type": ("0", "1", "3", "incoming", "outgoing", "template")},
            unspoken={"content_attributes.deleted": YES, "content_type": ("input_csat", "input_email")},
            customer="sender.id|sender_id",
        ),
    ),
)

AMAZON_CONNECT = Desk(
    title="Amazon Connect",
    exports=(
        Export(
            what="chat transcripts and Contact Lens files",
            source="docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files-chat.html",
            signature=("Transcript.ParticipantId", "Transcript.Content"),
            id="CustomerMetadata.ContactId|ContactId|InitialContactId",
            messages="Transcript",
            text="Content",
            speaker="ParticipantRole",
            roles={
                "customer": "customer",
                **dict.fromkeys(("agent", "supervisor", "custom_bot", "bot"), "agent"),
            },
            person="ParticipantId",
            people=People(within="Participants", id="ParticipantId", role="ParticipantRole"),
            time="AbsoluteTime|BeginOffsetMillis",
            spoken={"Type": ("message",)},
            # A list picker or its answer, in JSON.
            unspoken={
                "ContentType": (
                    "application/vnd.amazonaws.connect.message.interactive",
                    "application/vnd.amazonaws.connect.message.interactive.response",
                )
            },
            keep=("Channel",),
        ),
    ),
)

SALESFORCE = Desk(
    title="Salesforce chat",
    exports=(
        Export(
            what="chat transcripts (LiveChatTranscript)",
            source="developer.salesforce.com/docs/atlas.en-us.object_reference.meta: LiveChatTranscript",
            signature=("Body", "ChatKey|LiveChatVisitorId|LiveChatDeploymentId|LiveChatButtonId|VisitorMessageCount"),
            records=("records",),
            id="Id|Name|ChatKey",
            chatlog=Chatlog(
                text="Body",
                turn=r"\(\s*(?:\d+h\s*)?(?:\d+m\s*)?\d+s\s*\)\s*(?P<speaker>[^:<>()]{1,80}):",
                event=r"<p\b[^>]*>(?:(?!</p>).)*</p>",
                agents=r">\s*Agent\s+(?P<speaker>[^<>]+?)\s*</p>",
            ),
            customer="ContactId|LiveChatVisitorId",
            keep=("CaseId",),
        ),
        Export(
            what="entries of messaging sessions (ConversationEntry)",
            source="developer.salesforce.com/docs/atlas.en-us.object_reference.meta: ConversationEntry",
            signature=("ConversationId", "ActorType", "EntryType", "Message"),
            records=("records",),
            id="ConversationId",
            text="Message",
            speaker="ActorType",
            roles={
                **dict.fromkeys(("enduser", "visitor"), "customer"),
                **dict.fromkeys(("agent", "bot", "chatbot", "supervisor"), "agent"),
            },
            time="EntryTime",
            spoken={"EntryType": ("text", "message")},
            customer="ActorId",
        ),
    ),
)

TWCS = Desk(
    title="Customer Support on Twitter",
    exports=(
        Export(
            what="tweets, linked by their replies",
            source="kaggle.com/datasets/thoughtvector/customer-support-on-twitter",
            signature=("tweet_id", "author_id", "inbound", "text", "response_tweet_id", "in_response_to_tweet_id"),
            id="",
            replies=Replies(id="tweet_id", parent="in_response_to_tweet_id", children="response_tweet_id"),
            text="text",
            speaker="inbound",
            roles={**dict.fromkeys(YES, "customer"), **dict.fromkeys(NO, "agent")},
            time="created_at",
            customer="author_id",
            company="author_id",
        ),
    ),
)
